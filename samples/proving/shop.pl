#!/usr/bin/perl
# A shop over HTTP on a free port of the loopback. usage: shop.pl serve | order ITEM [KEY] | list | stop
# 'serve' begins in the background and writes the port to the file 'port'. Of orders with the same key one counts.
use strict;
use warnings;
use IO::Socket::INET;

my ($verb, $item, $key) = @ARGV;
if ($verb eq 'serve') { serve() }
elsif ($verb eq 'order') { print call('POST', "/orders/$item", $key) }
elsif ($verb eq 'list') { print call('GET', '/orders') }
elsif ($verb eq 'stop') { call('POST', '/stop') }
else { die "usage: shop.pl serve | order ITEM [KEY] | list | stop\n" }

sub serve {
  my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5) or die "no port: $!\n";
  open my $file, '>', 'port' or die "port: $!\n";
  print $file $server->sockport;
  close $file;
  return if fork;
  # Nobody comes for a shop that was forgotten.
  alarm 600;
  my (@orders, %seen);
  while (my $client = $server->accept) {
    my ($method, $path) = split ' ', scalar <$client>;
    my $once;
    while (my $line = <$client>) {
      last if $line =~ /^\r?$/;
      $once = $1 if $line =~ /^Idempotency-Key: (.*?)\r?$/;
    }
    push @orders, $1 if $path =~ m{^/orders/(.+)} && $method eq 'POST' && !(defined $once && $seen{$once}++);
    print $client "HTTP/1.0 200 OK\r\n\r\n", $method eq 'GET' ? join('', map { "$_\n" } @orders) : "thanks\n";
    close $client;
    exit if $path eq '/stop';
  }
}

sub call {
  my ($method, $path, $key) = @_;
  open my $file, '<', 'port' or die "the shop is closed: $!\n";
  my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => scalar <$file>) or die "the shop is closed: $!\n";
  print $server "$method $path HTTP/1.0\r\n", defined $key ? "Idempotency-Key: $key\r\n" : '', "\r\n";
  my $answer = do { local $/; <$server> };
  $answer =~ s/^.*?\r\n\r\n//s;
  return $answer;
}

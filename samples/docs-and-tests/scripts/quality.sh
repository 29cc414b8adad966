#!/usr/bin/env bash
# Code style in figures: long lines and files, tabs, trailing blanks, line ends, open ends, left-over conflict marks.
. "$(dirname "$0")/common.sh"
begin "Code quality"

found=$(mktemp "$out/.$step.XXXXXX")
trap 'rm -f "$section" "$values" "$found"' EXIT
text '*.awk' '*.c' '*.cc' '*.cpp' '*.cs' '*.css' '*.go' '*.h' '*.java' '*.js' '*.json' '*.kt' '*.py' '*.rb' '*.rs' '*.sh' '*.sql' '*.ts' '*.xml' '*.yaml' '*.yml' ':(exclude)*lock.json' |
  over awk "$awk_lib"'
  function flush() { if (file != "") { print "size\t" lines "\t" name(file); if (crlf) print "crlf\t" crlf "\t" name(file) } }
  function place() { return name(file) ":" FNR }
  FNR == 1 { flush(); file = FILENAME; lines = crlf = 0; kind = ext(file) }
  { lines++; if (sub(/\r$/, "")) crlf++ }
  length($0) > 140 { print "long\t" length($0) "\t" place() }
  /[ \t]$/ { print "trailing\t1\t" place() }
  /^\t/ && kind != "go" { print "tabs\t1\t" place() }
  /^(<<<<<<<|>>>>>>>) / { print "conflict\t1\t" place() }
  match($0, /(^|[^A-Za-z_])(TODO|FIXME|HACK|XXX)([^A-Za-z_]|$)/) {
    text = substr($0, RSTART); gsub(/[[:cntrl:]`]/, " ", text); gsub(/^[^A-Z]+/, "", text); print "open\t1\t" place() " " substr(text, 1, 100)
  }
  END { flush() }' > "$found"

awk -F '\t' '
  $1 == "size" { files++; lines += $2; if ($2 > 400) big++; next }
  { n[$1] += $1 == "crlf" ? $2 : 1 }
  END {
    printf "| figure | count |\n|---|--:|\n| files | %d |\n| lines | %d |\n| files of more than 400 lines | %d |\n| lines of more than 140 bytes | %d |\n", files, lines, big, n["long"]
    printf "| lines that end in blanks | %d |\n| lines that begin with a tab | %d |\n| lines that end in CR LF | %d |\n| TODO, FIXME, HACK, XXX | %d |\n| conflict marks | %d |\n\n", n["trailing"], n["tabs"], n["crlf"], n["open"], n["conflict"]
  }' "$found"
awk -F '\t' '$1 == "conflict" { print $3 }' "$found" | list "Conflict marks:" 20
awk -F '\t' '$1 == "size" && $2 > 400' "$found" | sort -t "$(printf '\t')" -k2,2nr | awk -F '\t' '{ print $3 ": " $2 " lines" }' | list "Long files:" 10
awk -F '\t' '$1 == "open" { print $3 }' "$found" | list "Open ends:" 30

open=$(awk -F '\t' '$1 == "open"' "$found" | count)
problems=$(awk -F '\t' '$1 == "conflict"' "$found" | count)
value open_ends "$open"
value problems "$problems"
finish "$open open ends, $problems conflict marks"

using System.Buffers;
using System.Diagnostics;
using System.Net;
using System.Text;
using Pawl.Yaml;

namespace Pawl.Tests.Yaml;

public sealed class ShellMaskingTests
{
    static (string Kept, List<string> Lines, CapturedOutput Output) Capture(IEnumerable<byte[]> chunks, string[] secrets, int limit = 1 << 20)
    {
        List<string> lines = [];
        var output = new CapturedOutput(new SecretMasker(secrets), limit, (line, _) => lines.Add(line));
        var stream = output.Open(isError: false);
        foreach (var chunk in chunks) stream.Write(chunk);
        stream.End();
        return (Encoding.UTF8.GetString(output.ToArray()), lines, output);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(7)]
    [InlineData(100)]
    public void Secrets_are_masked_however_the_output_is_cut(int size)
    {
        var text = "a hunter2 b\nhunterhunter2hunte\nhunter22, aab aaab\nlast hunter";
        var (kept, lines, _) = Capture(Encoding.UTF8.GetBytes(text).Chunk(size), ["hunter2", "hunter22", "aab", " "]);
        Assert.Equal("a *** b\nhunter***hunte\n***, *** a***\nlast hunter", kept);
        Assert.Equal(kept.Split('\n'), lines);
    }

    // What Python, PHP, Go and curl make of it.
    [Theory]
    [InlineData("Grüße-geheim-99", "Gr\\u00fc\\u00dfe-geheim-99")]
    [InlineData("Grüße-geheim-99", "Gr%c3%bc%c3%9fe-geheim-99")]
    [InlineData("wJalr/K7MDENG+bPx", "wJalr\\/K7MDENG+bPx")]
    [InlineData("ä/ö<secret>", "\\u00e4\\/\\u00f6<secret>")]
    [InlineData("ä/ö<secret>", "ä/ö\\u003csecret\\u003e")]
    [InlineData("two\nlines \"here\"", "two\\nlines \\\"here\\\"")]
    public void Forms_that_other_programs_write_are_masked_and_refused(string secret, string form)
    {
        var masker = new SecretMasker([secret]);
        Assert.Equal("x *** y", masker.Mask($"x {form} y"));
        Assert.True(masker.Reveals(Encoding.UTF8.GetBytes($"{{\"a\":\"{form}\"}}")));
    }

    [Fact]
    public void A_secret_that_is_spelt_in_an_unusual_way_enters_no_output()
    {
        var masker = new SecretMasker(["Grüße-geheim"]);
        Assert.True(masker.Reveals("{\"Gr\\u00FC\\u00dfe-\\u0067eheim\":1}"u8));
        Assert.True(masker.Reveals("q=%47r%C3%bc%c3%9Fe-geheim"u8));
        Assert.False(masker.Reveals("{\"a\":\"\\u00fc 100 % \\\\ ok\"}"u8));
    }

    [Theory]
    [InlineData("p4ss/w+rd??>")]
    [InlineData("with \"quotes\" & spaces\\")]
    [InlineData("ünïcode-secret")]
    public void Encoded_forms_are_masked_too(string secret)
    {
        var masker = new SecretMasker([secret]);
        foreach (var text in new[] { secret, Uri.EscapeDataString(secret), WebUtility.UrlEncode(secret), System.Text.Json.JsonSerializer.Serialize(secret), $"--{secret}--" })
            Assert.DoesNotContain(text.Trim('-', '"'), masker.Mask($"x {text} y"), StringComparison.Ordinal);
        foreach (var before in new[] { "", "u", "us", "use", "user:" })
        {
            var encoded = Convert.ToBase64String(Encoding.UTF8.GetBytes($"{before}{secret}\n"));
            var masked = masker.Mask(encoded);
            Assert.Contains("***", masked, StringComparison.Ordinal);
            // What stays readable decodes to no more than the neighbours and three characters' worth.
            Assert.True(masked.Replace("***", "", StringComparison.Ordinal).Length <= Convert.ToBase64String(Encoding.UTF8.GetBytes(before)).Length + 8, $"{encoded} became {masked}");
        }
    }

    [Fact]
    public void Each_line_of_a_long_secret_is_masked_and_so_is_wrapped_base64()
    {
        var secret = "-----BEGIN KEY-----\n" + string.Join('\n', Enumerable.Range(0, 4).Select(i => new string((char)('a' + i), 60))) + "\n-----END KEY-----\n";
        var masker = new SecretMasker([secret]);
        Assert.Equal("| ***\n| ***", masker.Mask($"| {new string('b', 60)}\n| -----END KEY-----"));
        var wrapped = Convert.ToBase64String(Encoding.UTF8.GetBytes(secret)).Chunk(76).Select(line => new string(line)).ToList();
        Assert.All(wrapped[..^1], line => Assert.Equal("***", masker.Mask(line)));
        Assert.Contains("***", masker.Mask(wrapped[^1]), StringComparison.Ordinal);
    }

    [Fact]
    public void Masking_any_cut_of_anything_is_masking_the_whole()
    {
        var seed = new Random().Next();
        var random = new Random(seed);
        for (var i = 0; i < 3000; i++)
        {
            string Word(int most) => new([.. Enumerable.Range(0, random.Next(1, most)).Select(_ => "ab\n"[random.Next(3)])]);
            string[] secrets = [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => Word(5))];
            var text = Encoding.UTF8.GetBytes(Word(40));
            var whole = new ArrayBufferWriter<byte>();
            new SecretMasker(secrets).Mask(text, isLast: true, whole);
            var (kept, _, _) = Capture(text.Chunk(random.Next(1, 6)), secrets);
            Assert.True(Encoding.UTF8.GetString(whole.WrittenSpan) == kept, $"seed {seed}, round {i}");
        }
    }

    [Fact]
    public void Of_long_output_the_beginning_and_the_end_are_kept()
    {
        var text = string.Concat(Enumerable.Range(0, 10_000).Select(i => $"line {i:0000}\n"));
        var (kept, lines, output) = Capture(Encoding.UTF8.GetBytes(text).Chunk(333), [], limit: 4000);
        Assert.StartsWith("line 0000\nline 0001\n", kept, StringComparison.Ordinal);
        Assert.EndsWith("line 9998\nline 9999\n", kept, StringComparison.Ordinal);
        Assert.Equal(96_000, output.LeftOut);
        Assert.Equal(text[..1000] + "\n[pawl: 96000 bytes of output left out here]\n" + text[^3000..], kept);
        Assert.Equal(10_000, lines.Count);
        Assert.Equal(20, output.Tail.Count);
    }

    [Fact]
    public void Output_just_at_the_limit_is_kept_whole()
    {
        var text = new string('x', 3999) + "\n";
        Assert.Equal(text, Capture([Encoding.UTF8.GetBytes(text)], [], limit: 4000).Kept);
    }

    [Fact]
    public void Ten_megabytes_without_a_line_end_are_shown_cut_and_take_no_time()
    {
        var watch = Stopwatch.StartNew();
        var (kept, lines, output) = Capture(Enumerable.Repeat(Encoding.UTF8.GetBytes(new string('h', 65536)), 160), ["hhhhhhhhx", "secret"]);
        Assert.Equal(65536 + "… [line cut]".Length, Assert.Single(lines).Length);
        Assert.Equal((10 << 20) - (1 << 20), output.LeftOut);
        Assert.True(kept.Length < (1 << 20) + 100);
        Assert.True(watch.ElapsedMilliseconds < 10_000, $"{watch.ElapsedMilliseconds} ms");
    }

    [Fact]
    public void Bytes_that_are_no_text_are_kept_as_they_are()
    {
        byte[] bytes = [0, 0xff, 0xfe, 10, 0xc3, 13, 10];
        List<string> lines = [];
        var output = new CapturedOutput(new SecretMasker([]), 1000, (line, isError) => lines.Add($"{isError} {line}"));
        var stream = output.Open(isError: true);
        stream.Write(bytes);
        stream.End();
        Assert.Equal(bytes, output.ToArray());
        Assert.Equal(["True \0\ufffd\ufffd", "True \ufffd"], lines);
    }
}

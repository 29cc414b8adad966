using System.Diagnostics;
using System.Text;
using Pawl.Yaml;

namespace Pawl.Tests.Yaml;

public sealed class WorkflowFileHostileTests
{
    static string Check(string yaml) => string.Join('\n', WorkflowFile.Check(yaml));

    /// <summary>Whatever the text is: problems with a place, and nothing else.</summary>
    static void OnlyProblems(string yaml)
    {
        try
        {
            _ = WorkflowFile.Parse(yaml);
        }
        catch (WorkflowFileException error)
        {
            Assert.NotEmpty(error.Problems);
            Assert.All(error.Problems, problem => Assert.True(problem.Line >= 1 && problem.Column >= 1, problem.ToString()));
            Assert.Matches(@"^\d+:\d+: (error|warning): .", error.Message);
        }
    }

    [Theory]
    [InlineData('[')]
    [InlineData('{')]
    [InlineData('-')]
    [InlineData('?')]
    [InlineData('!')]
    [InlineData('&')]
    [InlineData('*')]
    [InlineData('"')]
    [InlineData('|')]
    [InlineData(':')]
    [InlineData('#')]
    [InlineData('%')]
    [InlineData(',')]
    [InlineData(']')]
    [InlineData(' ')]
    [InlineData('\n')]
    [InlineData('\t')]
    public void Twenty_kilobytes_of_one_sign_are_only_a_problem(char sign)
    {
        var watch = Stopwatch.StartNew();
        OnlyProblems(new string(sign, 20_000));
        OnlyProblems(string.Concat(Enumerable.Repeat($"{sign} ", 10_000)));
        OnlyProblems(string.Concat(Enumerable.Repeat($"{sign}\n", 10_000)));
        OnlyProblems("steps: " + new string(sign, 20_000));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"took {watch.Elapsed}");
    }

    [Fact]
    public void A_file_ten_thousand_levels_deep_is_refused_at_level_64()
    {
        Assert.Contains("nested more than 64 levels deep", Check(string.Concat(Enumerable.Range(0, 10_000).Select(i => $"{new string(' ', i % 500)}- \n"))) + Check(string.Concat(Enumerable.Repeat("- ", 10_000)) + "x"));
        Assert.Contains("nested more than 64 levels deep", Check("a: " + new string('[', 10_000) + new string(']', 10_000)));
        Assert.Contains("nested more than 64 levels deep", Check(string.Concat(Enumerable.Range(0, 300).Select(i => $"{new string(' ', i)}a:\n"))));
    }

    [Fact]
    public void Aliases_anchors_and_tags_are_refused()
    {
        Assert.Contains("1:4: error: Anchors and aliases", Check("a: &x [1]\nb: *x"));
        Assert.Contains("error: Anchors and aliases", Check("a: *x"));
        Assert.Contains("error: The tag", Check("a: !!python/object:os.system x"));
        Assert.Contains("error: The tag", Check("a: ! x"));
        var bomb = "a: &a [x,x]\n" + string.Concat(Enumerable.Range(1, 40).Select(i => $"b{i}: &b{i} [*a,*a]\n"));
        Assert.Contains("Anchors and aliases", Check(bomb));
    }

    [Fact]
    public void A_file_is_at_most_a_mebibyte_and_one_document()
    {
        var watch = Stopwatch.StartNew();
        Assert.Contains("1:1: error: The file is larger than 1024 KiB.", Check("name: " + new string('x', 2 * 1024 * 1024)));
        Assert.Contains("has more than 100000 parts", Check("a: [" + string.Concat(Enumerable.Repeat("1,", 200_000)) + "]"));
        Assert.Contains("3:1: error: The file holds more than one document", Check("---\na: 1\n---\nb: 2\n"));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"took {watch.Elapsed}");
    }

    [Fact]
    public void Files_that_are_no_text_are_refused_with_their_place()
    {
        var path = Path.GetTempFileName();
        try
        {
            void Write(byte[] bytes) { using var file = File.Create(path); file.Write(bytes); }
            Write([.. "name: ok\nx: "u8, 0xFF, 0xFE, 0x00]);
            Assert.Equal($"{path}:2:4: error: The file is not valid UTF-8. Save it as UTF-8 text.", WorkflowFile.CheckFile(path).Single().ToString());
            Write(Encoding.UTF8.GetBytes("name: \0"));
            Assert.Contains(":1:7: error: The character U+0000", WorkflowFile.CheckFile(path).Single().ToString());
            Write(new byte[2 * 1024 * 1024]);
            Assert.Contains("larger than", WorkflowFile.CheckFile(path).Single().ToString());
            Write([]);
            Assert.Contains("The file is empty", WorkflowFile.CheckFile(path).Single().ToString());
            var random = new Random(4711);
            for (var i = 0; i < 200; i++)
            {
                var noise = new byte[random.Next(500)];
                random.NextBytes(noise);
                Write(noise);
                Assert.NotEmpty(WorkflowFile.CheckFile(path));
            }
        }
        finally { File.Delete(path); }
        Assert.Contains("cannot be read", WorkflowFile.CheckFile("/no/such/file.yaml").Single().ToString());
        Assert.Contains("cannot be read", WorkflowFile.CheckFile("/tmp").Single().ToString());
        Assert.Throws<WorkflowFileException>(() => WorkflowFile.Load("/no/such/file.yaml"));
    }

    [Fact]
    public void A_byte_order_mark_and_windows_line_ends_change_nothing()
    {
        var plain = WorkflowFile.Parse(Samples.Everything);
        var other = WorkflowFile.Parse("\uFEFF" + Samples.Everything.ReplaceLineEndings("\r\n"));
        Assert.Equal(plain.Fingerprint, other.Fingerprint);
    }

    [Fact]
    public void A_tab_in_the_indentation_is_named()
    {
        Assert.Equal("3:1: error: This line is indented with a tab. YAML is indented with spaces.", Check("name: n\nsteps:\n\t- id: a\n"));
        Assert.Equal("4:1: error: This line is indented with a tab. YAML is indented with spaces.", Check("name: n\nsteps:\n  - id: a\n\trun: x\n"));
    }

    [Theory]
    [InlineData("  - { id: a, run: echo ${{ params.x }} }", "needs quotes")]
    [InlineData("  - id: a\n    run: echo a: b", "A text that contains ': ' needs quotes.")]
    public void Common_mistakes_of_yaml_get_a_hint(string steps, string hint)
    {
        Assert.Contains(hint, Check("name: n\nsteps:\n" + steps));
    }

    [Fact]
    public void Yes_and_on_are_texts_and_leading_zeros_stay()
    {
        var workflow = WorkflowFile.Parse("name: no\nparams: { a: yes, b: 0123, c: 0x1f, d: .5 }\nsteps: [ { id: 007, run: x } ]");
        Assert.Equal("no", workflow.Name);
        Assert.Equal("007", workflow.Steps[0].Id);
        Assert.Equal(["\"yes\"", "\"0123\"", "\"0x1f\"", "\".5\""], workflow.Params.Select(param => param.Default.ToString()));
    }

    [Fact]
    public void Every_truncation_of_a_file_is_a_workflow_or_a_list_of_problems()
    {
        for (var length = 0; length < Samples.Everything.Length; length++) OnlyProblems(Samples.Everything[..length]);
    }

    [Fact]
    public void Every_single_change_of_a_file_is_a_workflow_or_a_list_of_problems()
    {
        const int seed = 20260101;
        var random = new Random(seed);
        const string signs = "{}[]&*!|>'\"%@`#:-,? \n\t$abc01\0\uD800é";
        for (var i = 0; i < 1500; i++)
        {
            var text = new StringBuilder(Samples.Everything);
            for (var edit = random.Next(1, 4); edit > 0; edit--)
            {
                var at = random.Next(text.Length);
                if (random.Next(3) == 0) text.Remove(at, Math.Min(random.Next(1, 30), text.Length - at));
                else text.Insert(at, signs[random.Next(signs.Length)]);
            }
            try
            {
                OnlyProblems(text.ToString());
            }
            catch (Exception error) when (error is not Xunit.Sdk.XunitException)
            {
                throw new InvalidOperationException($"seed {seed}, round {i}: {error.Message}\n{text}", error);
            }
        }
    }

    [Fact]
    public void A_chain_of_thousands_of_steps_is_checked_in_a_moment()
    {
        var watch = Stopwatch.StartNew();
        var yaml = "name: long\nsteps:\n" + string.Concat(Enumerable.Range(0, 5_000).Select(i => $"  - {{ id: s{i}, run: 'true', if: 'steps.s{Math.Max(0, i - 1)}.outcome != {(i == 0 ? "steps.s0.outcome" : "1")}' }}\n"));
        var problems = WorkflowFile.Check(yaml);
        Assert.Contains("is inside of 's0'", problems[0].ToString());
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(20), $"took {watch.Elapsed}");
    }
}

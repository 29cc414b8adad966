using System.Text;
using Pawl.Yaml;

namespace Pawl.Tests.Yaml;

public sealed class ShellOutputsTests
{
    static string Parse(string text) => ShellOutputs.Parse(Encoding.UTF8.GetBytes(text)).ToString();

    [Theory]
    [InlineData("", "{}")]
    [InlineData("\n\n", "{}")]
    [InlineData("a=1\nb=true\n", """{"a":"1","b":"true"}""")]
    [InlineData("a=x=y <<z\r\n\r\nb=\n", """{"a":"x=y <<z","b":""}""")]
    [InlineData("a= x ", """{"a":" x"}""")]
    [InlineData("a=1\na=2\n", """{"a":"2"}""")]
    [InlineData("a<<EOF\none\n two=2\n\nEOF\nb=1", """{"a":"one\n two=2\n","b":"1"}""")]
    [InlineData("a<<E=F\nx\nE=F", """{"a":"x"}""")]
    [InlineData("a<<EOF\nEOF", """{"a":""}""")]
    [InlineData("\ufeffname-1_x=éß\"\\", """{"name-1_x":"éß\"\\"}""")]
    [InlineData("{\"n\": 9007199254740993, \"d\": 1.10}\n", """{"n": 9007199254740993, "d": 1.10}""")]
    public void Outputs_are_read(string text, string expected) => Assert.Equal(expected, Parse(text));

    [Theory]
    [InlineData("a=1\nfoo\n", "Line 2 of $PAWL_OUTPUT is neither 'name=value' nor the beginning of a block 'name<<EOF'. A value of several lines needs a block, or JSON.")]
    [InlineData("a = 1", "Line 1 of $PAWL_OUTPUT has white space around its name: write 'name=value' without spaces.")]
    [InlineData("1a=1", "Line 1 of $PAWL_OUTPUT has no valid name: use letters, digits, '_' and '-', beginning with a letter or '_'.")]
    [InlineData("é=1", "Line 1 of $PAWL_OUTPUT has no valid name: use letters, digits, '_' and '-', beginning with a letter or '_'.")]
    [InlineData("x=1\n\na<<EOF\nb\n", "Line 3 of $PAWL_OUTPUT begins a block, and no later line is just its end word.")]
    [InlineData("a<<\nb\n", "Line 1 of $PAWL_OUTPUT begins a block without an end word: write 'name<<EOF'.")]
    [InlineData("{\"a\":1", "$PAWL_OUTPUT begins with '{' and so must be one JSON object, without double keys and at most 64 levels deep; it is not (line 1, byte 7).")]
    [InlineData("{\"a\":1} {}", "$PAWL_OUTPUT begins with '{' and so must be one JSON object, without double keys and at most 64 levels deep; it is not (line 1, byte 9).")]
    [InlineData("{\"a\":1,\"a\":2}", "$PAWL_OUTPUT begins with '{' and so must be one JSON object, without double keys and at most 64 levels deep; it is not.")]
    public void Mistakes_are_told_with_their_line(string text, string message) => Assert.Equal(message, Assert.Throws<FormatException>(() => Parse(text)).Message);

    [Fact]
    public void Deep_JSON_and_bytes_that_are_no_text_are_refused()
    {
        Assert.Throws<FormatException>(() => Parse(string.Concat(Enumerable.Repeat("{\"a\":", 65)) + "1" + new string('}', 65)));
        Assert.Contains("UTF-8", Assert.Throws<FormatException>(() => ShellOutputs.Parse(new byte[] { 97, 61, 0xff })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Facts_become_variables()
    {
        var facts = new ShellFacts { RunId = "r", Workflow = "w", Step = "g/s[1]", Attempt = 2, IdempotencyKey = "r/g/s[1]", IsResumed = true, Params = new Dictionary<string, string> { ["my-param.x"] = "v" } };
        var environment = facts.ToEnvironment();
        Assert.Equal("v", environment["PAWL_PARAM_MY_PARAM_X"]);
        Assert.Equal("2 true r/g/s[1]", $"{environment["PAWL_ATTEMPT"]} {environment["PAWL_RESUMED"]} {environment["PAWL_IDEMPOTENCY_KEY"]}");
        var twice = facts with { Params = new Dictionary<string, string> { ["a-b"] = "", ["a_b"] = "" } };
        Assert.Contains("PAWL_PARAM_A_B", Assert.Throws<StepException>(twice.ToEnvironment).Message, StringComparison.Ordinal);
    }
}

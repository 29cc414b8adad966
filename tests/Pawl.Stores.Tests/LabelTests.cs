using Pawl.Postgres;
using Pawl.Redis;

namespace Pawl.Stores;

/// <summary>What lists ask for: a tag as JSON, so that no sign in it can be mistaken.</summary>
public sealed class LabelTests
{
    [Theory]
    [InlineData("team", "data", """
        "team":"data"
        """)]
    [InlineData("a:b", "\"", """
        "a:b":"\u0022"
        """)]
    public void Any_text_has_a_label(string key, string value, string label) =>
        Assert.Equal((label, label), (PostgresHead.Label(new(key, value)), RedisHead.Label(new(key, value))));

    // Not in an attribute, which could not hold it.
    [Fact]
    public void Half_a_character_is_no_reason_to_lose_a_run() => Any_text_has_a_label($"half {(char)0xD800}", "", """
        "half \uFFFD":""
        """);
}

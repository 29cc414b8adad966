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
    [InlineData("half \ud800", "", """
        "half \uFFFD":""
        """)]
    public void Any_text_has_a_label(string key, string value, string label) =>
        Assert.Equal((label, label), (PostgresHead.Label(new(key, value)), RedisHead.Label(new(key, value))));
}

namespace Pawl.Tests.Yaml;

public class NearestTests
{
    [Theory]
    [InlineData("retyr", "retry")]
    [InlineData("rnu", "run")]
    [InlineData("neds", "needs")]
    [InlineData("Timeout", "timeout")]
    [InlineData("banana", null)]
    [InlineData("", null)]
    public void The_nearest_word_is_one_that_fingers_meant(string word, string? near) =>
        Assert.Equal(near, Nearest.Find(word, ["run", "retry", "needs", "timeout", "id"]));
}

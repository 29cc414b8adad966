namespace Pawl.Tests;

/// <summary>The command as a program of its own: the one beside the tests, or the one that <c>.ci/run</c> has compiled ahead, which starts in a third of the time.</summary>
static class PawlCommand
{
    public static string Path { get; } = Environment.GetEnvironmentVariable("PAWL_TEST_COMMAND") ?? System.IO.Path.Combine(AppContext.BaseDirectory, "Pawl.Cli");
}

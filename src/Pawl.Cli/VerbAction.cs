using System.CommandLine;
using System.CommandLine.Invocation;

namespace Pawl.Cli;

/// <summary>What a verb does.</summary>
sealed class VerbAction(Func<Task<int>> action) : AsynchronousCommandLineAction
{
    public Task<int> RunAsync() => action();

    public override Task<int> InvokeAsync(ParseResult parseResult, CancellationToken cancellationToken = default) => action();
}

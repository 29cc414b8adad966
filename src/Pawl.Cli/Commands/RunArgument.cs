using System.CommandLine;
using System.CommandLine.Completions;
using Pawl.Cli.Input;
using Pawl.Cli.View;
using Pawl.Storage;

namespace Pawl.Cli.Commands;

/// <summary>The run that most verbs are about.</summary>
static class RunArgument
{
    public static Argument<string?> Optional(Cli cli) => Create(cli, "The run; default: the newest", ArgumentArity.ZeroOrOne);

    public static Argument<string?> Required(Cli cli) => Create(cli, "The run", ArgumentArity.ExactlyOne);

    static Argument<string?> Create(Cli cli, string description, ArgumentArity arity)
    {
        var argument = new Argument<string?>("RUN") { Description = description, HelpName = "RUN", Arity = arity };
        argument.CompletionSources.Add(context => RunIdsOf(cli, context));
        return argument;
    }

    /// <summary>Ids for shell completion.</summary>
    public static IEnumerable<string> RunIdsOf(Cli cli, CompletionContext context) => Ask(cli, context, async client =>
    {
        var ids = new List<string>();
        await foreach (var head in client.ListAsync(new RunQuery { Limit = 50 }, cli.Stop)) ids.Add(head.RunId);
        return ids;
    });

    /// <summary>The steps of the run that is on the line, for shell completion.</summary>
    public static IEnumerable<string> StepsOf(Cli cli, CompletionContext context, Argument<string?> run) => Ask(cli, context, async client =>
    {
        if (await OrNewestAsync(cli, client, context.ParseResult.GetValue(run)) is not { } runId) return [];
        return [.. (await Stories.ReadAsync(client, runId, cli.Stop)).All.Select(step => step.Path)];
    });

    /// <summary>Completion is silent about every trouble.</summary>
    public static List<string> Ask(Cli cli, CompletionContext context, Func<PawlClient, Task<List<string>>> question)
    {
        try
        {
            return Task.Run(async () =>
            {
                await using var client = await StoreChoice.Of(context.ParseResult.GetValue(cli.StoreOption), cli.Caller, Pawl.Yaml.Configuration.None).OpenAsync(cli.Caller);
                return await question(client);
            }).GetAwaiter().GetResult();
        }
        catch (Exception)
        {
            return [];
        }
    }

    /// <summary>Checked, so that a wrong id is a mistake in the call.</summary>
    public static string Check(string? runId) =>
        RunIds.IsValid(runId) ? runId! : throw new UsageException($"'{Human.Line(runId, 80)}' is not a run id. 'pawl list' shows what is there.");

    /// <summary>The newest run that no other run started, a schedule's next one aside; or null.</summary>
    public static async Task<RunHead?> NewestAsync(PawlClient client, CancellationToken stop, string? workflow = null)
    {
        await foreach (var head in client.ListAsync(new RunQuery { Workflow = workflow }, stop))
            if (head.ParentRunId is null && !Schedule.IsAhead(head)) return head;
        return null;
    }

    /// <summary>The run that is named, else the newest.</summary>
    public static async Task<string> OrNewestAsync(Cli cli, PawlClient client, string? runId, string? workflow = null) =>
        runId is not null ? Check(runId) : (await NewestAsync(client, cli.Stop, workflow))?.RunId ?? throw new UsageException($"There are no runs{(workflow is null ? "" : $" of '{workflow}'")} in {cli.Store.Uri}. 'pawl run' starts one.");
}

using System.CommandLine;
using Pawl.Storage;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl approve RUN [STEP]</c> and <c>pawl reject RUN [STEP]</c>: decides what a run asks.</summary>
static class DecideCommand
{
    public static Command Approve(Cli cli)
    {
        var changes = new Option<string?>("--changes") { Description = "What should be different, for the step to take up", HelpName = "JSON" };
        return Create(cli, "approve", "Approve what a waiting run asks", changes);
    }

    public static Command Reject(Cli cli) => Create(cli, "reject", "Reject what a waiting run asks: the step fails", null);

    static Command Create(Cli cli, string verb, string description, Option<string?>? changes)
    {
        var run = RunArgument.Required(cli);
        var step = new Argument<string?>("STEP") { Description = "The step that asks; default: the only one", Arity = ArgumentArity.ZeroOrOne };
        var reason = new Option<string?>("--reason") { Description = "Why, for the record", HelpName = "TEXT" };
        var by = new Option<string?>("--by") { Description = "Who decides; default: you", HelpName = "NAME" };
        var command = new Command(verb, description) { run, step, reason, by };
        if (changes is not null) command.Add(changes);
        return Verbs.On(command, async () =>
        {
            await using var client = await cli.Store.OpenAsync(cli.Caller);
            var runId = RunArgument.Check(cli.Get(run));
            var head = await client.FindAsync(runId, cli.Stop) ?? throw new RunNotFoundException(runId);
            var path = cli.Get(step) ?? Only(head, await client.QuestionsAsync(head, cli.Stop));
            var who = cli.Get(by) ?? CancelCommand.By();
            bool isFirst;
            try
            {
                isFirst = changes is not null
                    ? await client.ApproveAsync(runId, path, who, cli.Get(reason), SignalCommand.Value(cli.Get(changes)), cli.Stop)
                    : await client.RejectAsync(runId, path, who, cli.Get(reason), cli.Stop);
            }
            catch (ArgumentException wrong) { throw new UsageException(wrong.Message); }
            cli.Say(isFirst ? $"{runId}: '{path}' is {(changes is not null ? "approved" : "rejected")} by {who}." : $"{runId}: '{path}' was decided already; the first decision stays.");
            await SignalCommand.SayWayOnAsync(cli, client, runId);
            cli.Json(w =>
            {
                w.WriteStartObject();
                w.WriteString("run_id", runId);
                w.WriteString("step", path);
                w.WriteString("decision", changes is not null ? "approved" : "rejected");
                w.WriteString("by", who);
                w.WriteBoolean("first", isFirst);
                w.WriteEndObject();
            });
            return isFirst ? ExitCode.Done : ExitCode.Refused;
        });
    }

    static string Only(RunHead head, IReadOnlyList<Wait> asked)
    {
        return asked.Count == 1 ? asked[0].Path : throw new UsageException(asked.Count == 0
            ? $"Run '{head.RunId}' ({Words.Of(head.Status)}) asks for no approval at the moment. 'pawl list --status waiting' shows what waits."
            : $"Run '{head.RunId}' asks several things; name the step: {string.Join(", ", asked.Select(wait => wait.Path))}.");
    }
}

using System.CommandLine;
using Pawl.Cli.Commands;

namespace Pawl.Cli;

/// <summary>Every verb, in the order of the help.</summary>
static class Verbs
{
    sealed record Verb(string Name, Func<Cli, Command> Create);

    static readonly Verb[] s_all =
    [
        new("init", InitCommand.Create),
        new("validate", ValidateCommand.Create),
        new("run", RunCommand.Create),
        new("resume", ResumeCommand.Create),
        new("rerun", RerunCommand.Create),
        new("fork", ForkCommand.Create),
        new("status", StatusCommand.Create),
        new("list", ListCommand.Create),
        new("checkpoints", CheckpointsCommand.Create),
        new("show", ShowCommand.Create),
        new("logs", LogsCommand.Create),
        new("explain", ExplainCommand.Create),
        new("diff", DiffCommand.Create),
        new("replay", ReplayCommand.Create),
        new("costs", CostsCommand.Create),
        new("graph", GraphCommand.Create),
        new("cancel", CancelCommand.Create),
        new("pause", PauseCommand.Create),
        new("signal", SignalCommand.Create),
        new("approve", DecideCommand.Approve),
        new("reject", DecideCommand.Reject),
        new("enqueue", EnqueueCommand.Create),
        new("schedule", ScheduleCommand.Create),
        new("requeue", RequeueCommand.Create),
        new("ui", UiCommand.Create),
        new("worker", WorkerCommand.Create),
        new("delete", DeleteCommand.Create),
        new("prune", PruneCommand.Create),
        new("verify", VerifyCommand.Create),
        new("repair", RepairCommand.Create),
        new("prove", ProveCommand.Create),
        new("repl", ReplCommand.Create),
        new("mcp", McpCommand.Create),
        new("doctor", DoctorCommand.Create),
        new("store", StoreCommand.Create),
        new("schema", SchemaCommand.Create),
        new("completion", CompletionCommand.Create),
    ];

    public static IEnumerable<string> Names => s_all.Select(verb => verb.Name);

    /// <summary>The verb that the words begin with, or null.</summary>
    public static string? Find(List<string> words) => words.Count > 0 && Array.Exists(s_all, verb => verb.Name == words[0]) ? words[0] : null;

    /// <summary>Adds the one verb that is named, else all: building all of them costs a plain call more than its work.</summary>
    public static void AddTo(RootCommand root, Cli cli, string? name)
    {
        foreach (var verb in s_all)
            if (name is null || verb.Name == name) root.Add(verb.Create(cli));
    }

    /// <summary>Binds a verb to what it does.</summary>
    public static Command On(Command command, Func<Task<int>> action)
    {
        command.Action = new VerbAction(action);
        return command;
    }
}

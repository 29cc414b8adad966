using System.CommandLine;
using Pawl.Cli.Commands;

namespace Pawl.Cli;

/// <summary>Every verb, in the order of the help.</summary>
static class Verbs
{
    static readonly (string Name, Func<Cli, Command> Create)[] s_all =
    [
        ("init", InitCommand.Create),
        ("validate", ValidateCommand.Create),
        ("run", RunCommand.Create),
        ("resume", ResumeCommand.Create),
        ("rerun", RerunCommand.Create),
        ("status", StatusCommand.Create),
        ("list", ListCommand.Create),
        ("checkpoints", CheckpointsCommand.Create),
        ("show", ShowCommand.Create),
        ("logs", LogsCommand.Create),
        ("explain", ExplainCommand.Create),
        ("graph", GraphCommand.Create),
        ("cancel", CancelCommand.Create),
        ("pause", PauseCommand.Create),
        ("delete", DeleteCommand.Create),
        ("prune", PruneCommand.Create),
        ("verify", VerifyCommand.Create),
        ("repair", RepairCommand.Create),
        ("doctor", DoctorCommand.Create),
        ("schema", SchemaCommand.Create),
        ("completion", CompletionCommand.Create),
    ];

    public static IEnumerable<string> Names => s_all.Select(verb => verb.Name);

    /// <summary>The verb that the words begin with, or null.</summary>
    public static string? Find(IReadOnlyList<string> words) => words.Count > 0 && Names.Contains(words[0]) ? words[0] : null;

    /// <summary>The commands: one when its name is known, else all.</summary>
    public static IEnumerable<Command> Build(Cli cli, string? name) =>
        s_all.Where(verb => name is null || verb.Name == name).Select(verb => verb.Create(cli));
}

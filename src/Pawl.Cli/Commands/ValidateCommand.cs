using System.CommandLine;
using Pawl.Cli.Input;
using Pawl.Cli.View;
using Pawl.Yaml;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl validate FILE</c>: every problem with its place and a hint.</summary>
static class ValidateCommand
{
    public static Command Create(Cli cli)
    {
        var file = new Argument<string?>("FILE") { Description = $"The workflow file; default: {Definitions.DefaultFile}", Arity = ArgumentArity.ZeroOrOne };
        var strict = new Option<bool>("--strict") { Description = "Warnings count as errors" };
        return Verbs.On(new Command("validate", "Every problem of a workflow file, with its place and a hint") { file, strict }, () =>
        {
            var name = cli.Get(file) ?? Definitions.DefaultFile;
            var problems = WorkflowFile.Check(Files.Read("The workflow file", name, cli.Caller), name, cli.Get(strict), cli.Caller.Directory, Definitions.Loading(name, cli));
            var valid = problems.All(problem => problem.Severity != ProblemSeverity.Error) && !(cli.Get(strict) && problems.Count > 0);
            foreach (var problem in problems) cli.Say(problem.ToString());
            cli.Say(valid ? $"{cli.Ink.Good("✓")} {name} is valid." : $"{cli.Ink.Bad("✗")} {name} has {Human.Count(problems.Count, "problem")}.");
            cli.Json(w =>
            {
                w.WriteStartObject();
                w.WriteString("file", name);
                w.WriteBoolean("valid", valid);
                w.WriteStartArray("problems");
                foreach (var problem in problems)
                {
                    w.WriteStartObject();
                    w.WriteString("severity", Words.Of(problem.Severity));
                    w.WriteNumber("line", problem.Line);
                    w.WriteNumber("column", problem.Column);
                    w.WriteString("message", problem.Message);
                    w.WriteString("hint", problem.Hint);
                    w.WriteEndObject();
                }
                w.WriteEndArray();
                w.WriteEndObject();
            });
            return Task.FromResult(valid ? ExitCode.Done : ExitCode.Usage);
        });
    }
}

using System.CommandLine;
using System.Text;
using Pawl.Cli.Input;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl init [NAME]</c>: a first workflow that runs.</summary>
static class InitCommand
{
    public static Command Create(Cli cli)
    {
        var name = new Argument<string?>("NAME") { Description = "The workflow's name; default: the folder's", Arity = ArgumentArity.ZeroOrOne };
        return Verbs.On(new Command("init", $"Write a first {Definitions.DefaultFile} that runs") { name }, () =>
        {
            var path = cli.Caller.FullPath(Definitions.DefaultFile);
            var title = cli.Get(name) ?? FromFolder(cli.Caller.Directory);
            if (!RunIds.IsValidStepId(title)) throw new UsageException($"'{title}' cannot name a workflow: use letters, digits, '.', '_' and '-'.");
            try
            {
                // Created, never opened: what is there stays.
                using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write);
                file.Write(Encoding.UTF8.GetBytes(First(title)));
            }
            catch (IOException) when (File.Exists(path))
            {
                throw new ResumeRefusedException(new Refusal(RefusalReason.Incompatible, $"There is a {Definitions.DefaultFile} here already.", "It was not touched. Move it away, or go to another folder."));
            }
            cli.Say($"{Definitions.DefaultFile} was written. Try:");
            cli.Say("  pawl run --dry-run     what would run");
            cli.Say("  pawl run -p name=you   run it");
            cli.Say("  pawl status            how it went");
            cli.Json(w =>
            {
                w.WriteStartObject();
                w.WriteString("file", path);
                w.WriteString("workflow", title);
                w.WriteEndObject();
            });
            return Task.FromResult(ExitCode.Done);
        });
    }

    static string FromFolder(string directory)
    {
        var text = new string([.. Path.GetFileName(directory).Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' ? c : '-')]).TrimStart('.', '_', '-');
        return RunIds.IsValidStepId(text) ? text : "first";
    }

    static string First(string name) => $$$"""
        # A first workflow. 'pawl run' starts it; if it dies, 'pawl resume' goes on where it was.
        name: {{{name}}}
        params:
          name: { type: string, default: world }

        steps:
          - id: prepare
            run: |
              echo "count=3" >> "$PAWL_OUTPUT"

          - id: greet
            needs: prepare
            run: echo Hello, ${{ params.name }}

          - id: count
            needs: prepare
            run: seq ${{ steps.prepare.outputs.count }}

          - id: finish
            needs: [greet, count]
            run: echo Everything is done.

        """;
}

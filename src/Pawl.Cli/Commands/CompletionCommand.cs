using System.CommandLine;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl completion bash|zsh|fish</c>: a script that asks the program itself, so it knows runs and steps too.</summary>
static class CompletionCommand
{
    public static Command Create(Cli cli)
    {
        var shell = new Argument<string>("SHELL") { Description = "bash, zsh or fish" };
        shell.CompletionSources.Add("bash", "zsh", "fish");
        return Verbs.On(new Command("completion", "A script for the shell's completion: eval \"$(pawl completion bash)\"") { shell }, () =>
        {
            cli.Caller.Out.WriteLine(cli.Get(shell) switch
            {
                "bash" => Bash,
                "zsh" => Zsh,
                "fish" => Fish,
                var other => throw new UsageException($"'{other}' is not bash, zsh or fish."),
            });
            return Task.FromResult(ExitCode.Done);
        });
    }

    const string Bash = """
        # eval "$(pawl completion bash)"
        _pawl() {
          local IFS=$'\n'
          COMPREPLY=($(compgen -W "$(pawl "[suggest:$COMP_POINT]" "$COMP_LINE" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
        }
        complete -o default -F _pawl pawl
        """;

    const string Zsh = """
        # eval "$(pawl completion zsh)"
        _pawl() {
          local -a words_
          words_=("${(@f)$(pawl "[suggest:${#BUFFER}]" "$BUFFER" 2>/dev/null)}")
          compadd -a words_
        }
        compdef _pawl pawl
        """;

    const string Fish = """
        # pawl completion fish | source
        complete -c pawl -a '(pawl "[suggest:"(string length -- (commandline -cp))"]" (commandline -cp) 2>/dev/null)'
        """;
}

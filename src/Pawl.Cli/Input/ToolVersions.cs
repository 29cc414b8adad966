using System.Diagnostics;
using Pawl.Yaml;

namespace Pawl.Cli.Input;

/// <summary>What the tools of a workflow file say of themselves: facts about the surroundings of a run.</summary>
static class ToolVersions
{
    /// <summary>How the names of these facts begin.</summary>
    public const string Prefix = "tool_";
    static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);
    const int MostText = 200;

    /// <summary>Asks all of them at once, in the folder of the steps, with bash.</summary>
    public static void AddTo(Dictionary<string, string> facts, Workflow workflow, Caller caller)
    {
        if (workflow.Source is not { Format: "yaml" } source) return;
        var secrets = workflow.Params.Where(param => param.Type == "secret").Select(param => param.EnvironmentVariable is { } name ? caller.Variable(name) : null).OfType<string>().Where(value => value.Length > 0).ToList();
        var asked = ToolSettings.Of(source.Text).Select(tool => (tool.Key, Answer: AskAsync(tool.Value, source.Folder is { } folder ? caller with { Directory = folder } : caller))).ToList();
        foreach (var (name, answer) in asked)
        {
            var version = answer.GetAwaiter().GetResult();
            foreach (var secret in secrets) version = version.Replace(secret, "***", StringComparison.Ordinal);
            facts[Prefix + name] = version;
        }
    }

    /// <summary>The first line that it prints, wherever; a tool that is not there is a fact as well.</summary>
    static async Task<string> AskAsync(string command, Caller caller)
    {
        using var process = Process.Start(new ProcessStartInfo("/usr/bin/env", ["bash", "-c", $"{{ {command}\n}} 2>&1 < /dev/null"]) { WorkingDirectory = caller.Directory, RedirectStandardOutput = true });
        if (process is null) return "not there";
        using var late = new CancellationTokenSource(s_limit, caller.Time);
        try
        {
            var text = await process.StandardOutput.ReadToEndAsync(late.Token);
            await process.WaitForExitAsync(late.Token);
            var line = text.Split('\n').Select(one => one.Trim()).FirstOrDefault(one => one.Length > 0) ?? "";
            return process.ExitCode != 0 ? $"not there (exit code {process.ExitCode})" : View.Human.Line(line, MostText);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            return $"no answer within {s_limit.TotalSeconds:0} s";
        }
    }
}

using System.CommandLine;
using Pawl.Cli.View;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl verify [RUN]</c>: checks journals from end to end.</summary>
static class VerifyCommand
{
    public static Command Create(Cli cli)
    {
        var run = RunArgument.Optional(cli);
        run.Description = "The run; default: all";
        return Verbs.On(new Command("verify", "Check the hash chain and the payloads of one run, or of all") { run }, async () =>
        {
            await using var client = await cli.Store.OpenAsync(cli.Caller);
            var results = new List<(string RunId, IReadOnlyList<string> Problems)>();
            foreach (var runId in await RunsAsync(cli, client, cli.Get(run)))
            {
                var problems = await client.VerifyAsync(runId, cli.Stop);
                results.Add((runId, problems));
                cli.Say(problems.Count == 0 ? $"{cli.Ink.Good("✓")} {runId}" : $"{cli.Ink.Bad("✗")} {runId}");
                foreach (var problem in problems) cli.Say($"    {Human.Line(problem)}");
                if (problems.Count > 0) cli.Say($"    Mend it with:  {cli.CommandLine("repair", runId)}");
            }
            var bad = results.Count(result => result.Problems.Count > 0);
            cli.Say(bad == 0 ? $"{Human.Count(results.Count, "run")} checked, all is well." : $"{bad} of {Human.Count(results.Count, "run")} damaged.");
            cli.Json(w =>
            {
                w.WriteStartObject();
                w.WriteStartArray("runs");
                foreach (var (runId, problems) in results)
                {
                    w.WriteStartObject();
                    w.WriteString("run_id", runId);
                    w.WriteBoolean("ok", problems.Count == 0);
                    HeadView.List(w, "problems", problems);
                    w.WriteEndObject();
                }
                w.WriteEndArray();
                w.WriteBoolean("ok", bad == 0);
                w.WriteEndObject();
            });
            return bad == 0 ? ExitCode.Done : ExitCode.Failed;
        });
    }

    static async Task<List<string>> RunsAsync(Cli cli, PawlClient client, string? named)
    {
        if (named is not null) return [RunArgument.Check(named)];
        var ids = new List<string>();
        await foreach (var head in client.ListAsync(null, cli.Stop)) ids.Add(head.RunId);
        return ids;
    }
}

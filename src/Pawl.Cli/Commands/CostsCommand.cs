using System.CommandLine;
using System.Globalization;
using Pawl.Cli.Input;
using Pawl.Cli.View;
using Pawl.Storage;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl costs [RUN]</c>: what a run took and saved; without a run, each workflow over its runs.</summary>
static class CostsCommand
{
    const string DefaultSince = "30d";

    sealed record Total(string Workflow, int Runs, Cost Spent, Cost Saved);

    public static Command Create(Cli cli)
    {
        var run = RunArgument.Optional(cli);
        run.Description = "The run; default: each workflow over its runs";
        var all = new Option<bool>("--all") { Description = "Every step, also those below others" };
        var since = new Option<string?>("--since") { Description = $"Without a run: runs started since (2d, 12h, or a date); default {DefaultSince}", HelpName = "TIME" };
        var workflow = new Option<string?>("--workflow") { Description = "Without a run: only this workflow", HelpName = "NAME" };
        return Verbs.On(new Command("costs", "Time, calls, tokens and money: what was spent, and what was saved") { run, all, since, workflow }, async () =>
        {
            await using var client = await cli.Store.OpenAsync(cli.Caller);
            if (cli.Get(run) is { } runId) Show(cli, await client.CostsAsync(RunArgument.Check(runId), cli.Stop), cli.Get(all));
            else await SumUpAsync(cli, client, new RunQuery { Workflow = cli.Get(workflow), Since = Spans.ParseTime("--since", cli.Get(since) ?? DefaultSince, cli.Now) });
            return ExitCode.Done;
        });
    }

    static void Show(Cli cli, RunCosts costs, bool all)
    {
        var steps = all ? costs.Steps : [.. costs.Steps.GroupBy(step => TopOf(step.Path)).Select(group => new StepCost(group.Key, group.FirstOrDefault(step => step.Path == group.Key)?.Attempts ?? 0, Cost.Sum(group.Select(step => step.Spent))))];
        var table = new Table("STEP", "TRIES", "TIME", "CALLS", "TOKENS", "COST");
        foreach (var step in steps) table.Add(null, [step.Path, step.Attempts.ToString(CultureInfo.InvariantCulture), .. Cells(step.Spent)]);
        table.Add(null, ["all", "", .. Cells(costs.Spent)]);
        table.Write(cli);
        if (costs.Passes.Count > 1 || costs.Saved != default)
        {
            cli.Say();
            var passes = new Table("PASS", "END", "BEGAN", "SPENT", "SAVED BY REUSE", "SAVED BY SKIPS");
            foreach (var pass in costs.Passes)
            {
                var end = pass.End is { } status ? Words.Of(status) : pass.Number == costs.Passes.Count ? HeadView.State(costs.Head) : "died";
                passes.Add(end, pass.Number.ToString(CultureInfo.InvariantCulture), end, Human.Date(pass.BeganAt, cli.Caller), Human.Cost(pass.Spent), Human.Cost(pass.Reused), Human.Cost(pass.Skipped));
            }
            passes.Write(cli);
        }
        if (Human.Cost(costs.Saved) is { Length: > 0 } saved) cli.Say(cli.Ink.Good($"Saved: {saved}"));
        WriteJson(cli, costs);
    }

    static void WriteJson(Cli cli, RunCosts costs) => cli.Json(w =>
    {
        w.WriteStartObject();
        w.WriteString("run_id", costs.Head.RunId);
        w.WriteString("workflow", costs.Head.Workflow);
        w.WriteString("status", Words.Of(costs.Head.Status));
        HeadView.Write(w, "spent", costs.Spent);
        HeadView.Write(w, "saved", costs.Saved);
        w.WriteStartArray("steps");
        foreach (var step in costs.Steps)
        {
            w.WriteStartObject();
            w.WriteString("step", step.Path);
            w.WriteNumber("attempts", step.Attempts);
            HeadView.Write(w, "spent", step.Spent);
            w.WriteEndObject();
        }
        w.WriteEndArray();
        w.WriteStartArray("passes");
        foreach (var pass in costs.Passes)
        {
            w.WriteStartObject();
            w.WriteNumber("pass", pass.Number);
            w.WriteString("began_at", Human.Iso(pass.BeganAt));
            w.WriteString("end", pass.End is { } end ? Words.Of(end) : null);
            foreach (var (name, cost) in ((string, Cost)[])[("spent", pass.Spent), ("reused", pass.Reused), ("skipped", pass.Skipped)])
                HeadView.Write(w, name, cost);
            w.WriteEndObject();
        }
        w.WriteEndArray();
        w.WriteEndObject();
    });

    static async Task SumUpAsync(Cli cli, PawlClient client, RunQuery query)
    {
        var totals = new SortedDictionary<string, Total>(StringComparer.Ordinal);
        await foreach (var head in client.ListAsync(query, cli.Stop))
        {
            try
            {
                var costs = await client.CostsAsync(head.RunId, cli.Stop);
                var before = totals.GetValueOrDefault(head.Workflow) ?? new Total(head.Workflow, 0, default, default);
                totals[head.Workflow] = before with { Runs = before.Runs + 1, Spent = before.Spent + costs.Spent, Saved = before.Saved + costs.Saved };
            }
            catch (RunNotFoundException)
            {
                // Removed since the list was read.
            }
            catch (PawlException damaged)
            {
                cli.Warn($"Run '{head.RunId}' is not counted: {damaged.Message}");
            }
        }
        if (totals.Count == 0) cli.Say($"No such runs in {cli.Store.Uri}.");
        else
        {
            var table = new Table("WORKFLOW", "RUNS", "TIME", "CALLS", "TOKENS", "COST", "SAVED");
            foreach (var total in totals.Values) table.Add(null, [total.Workflow, total.Runs.ToString(CultureInfo.InvariantCulture), .. Cells(total.Spent), Human.Cost(total.Saved)]);
            table.Write(cli);
        }
        cli.Json(w =>
        {
            w.WriteStartObject();
            w.WriteStartArray("workflows");
            foreach (var total in totals.Values)
            {
                w.WriteStartObject();
                w.WriteString("workflow", total.Workflow);
                w.WriteNumber("runs", total.Runs);
                HeadView.Write(w, "spent", total.Spent);
                HeadView.Write(w, "saved", total.Saved);
                w.WriteEndObject();
            }
            w.WriteEndArray();
            w.WriteEndObject();
        });
    }

    static string[] Cells(Cost cost) =>
        [Human.Duration(cost.Duration), cost.Calls > 0 ? Human.Number(cost.Calls) : "-", cost.Tokens > 0 ? Human.Number(cost.Tokens) : "-", cost.CostUsd > 0 ? Human.Usd(cost.CostUsd) : "-"];

    static string TopOf(string path) => path.AsSpan().IndexOfAny('/', '[') is > 0 and var cut ? path[..cut] : path;
}

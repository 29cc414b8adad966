using System.CommandLine;
using Pawl.Cli.Graphs;
using Pawl.Cli.Input;
using Pawl.Cli.View;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl graph FILE|RUN</c>: the steps and what they wait for.</summary>
static class GraphCommand
{
    public static Command Create(Cli cli)
    {
        var what = new Argument<string?>("FILE|RUN") { HelpName = "FILE|RUN", Description = $"A workflow file or a run; default: {Definitions.DefaultFile}", Arity = ArgumentArity.ZeroOrOne };
        what.CompletionSources.Add(context => RunArgument.RunIdsOf(cli, context));
        var format = new Option<string?>("--format") { Description = "ascii (default), mermaid, dot or svg", HelpName = "FORMAT" };
        format.CompletionSources.Add("ascii", "mermaid", "dot", "svg");
        var critical = new Option<bool>("--critical-path") { Description = "Mark the chain of steps that decides how long a run takes" };
        var durations = new Option<string[]>("--durations") { Description = "How long steps take, instead of the median of earlier runs", HelpName = "STEP=30s,…" };
        return Verbs.On(new Command("graph", "The steps of a file or a run, and what they wait for") { what, format, critical, durations }, async () =>
        {
            var drawing = cli.Get(format) ?? "ascii";
            if (drawing is not ("ascii" or "mermaid" or "dot" or "svg")) throw new UsageException($"--format '{Human.Line(drawing, 80)}': use ascii, mermaid, dot or svg.");
            var graph = await ReadAsync(cli, cli.Get(what), cli.Get(critical), Durations(cli.Get(durations)));
            if (drawing == "ascii") AsciiGraph.Draw(graph, cli);
            else cli.Text.Write(drawing switch { "dot" => DotGraph.Draw(graph), "svg" => SvgGraph.Draw(graph), _ => MermaidGraph.Draw(graph) });
            if (graph.Critical is { } path && drawing == "ascii")
                cli.Say(path.Length > TimeSpan.Zero
                    ? $"Critical path: {string.Join(" → ", path.Steps)} = {Human.Duration(path.Length)} ({path.Length.TotalSeconds:0.###} s); one after another {Human.Duration(path.Sum)} ({path.Sum.TotalSeconds:0.###} s)"
                    : "Critical path: no durations are known. Run it once, or give them with --durations a=30s,b=2m");
            WriteJson(cli, graph);
            return ExitCode.Done;
        });
    }

    static List<(string, TimeSpan)> Durations(string[]? lists) =>
        [.. Params.Pairs("--durations", [.. (lists ?? []).SelectMany(list => list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))]).Select(pair => (pair.Name, Spans.Parse("--durations", pair.Value)))];

    static async Task<Graph> ReadAsync(Cli cli, string? what, bool critical, List<(string Path, TimeSpan Duration)> given)
    {
        var isFile = what is null || File.Exists(cli.Caller.FullPath(what));
        if (!isFile && !RunIds.IsValid(what)) throw new UsageException($"'{Human.Line(what, 80)}' is neither a file nor a run id.");
        return isFile ? await OfFileAsync(cli, Definitions.Load(what, cli), critical, given) : await OfRunAsync(cli, what!, critical, given);
    }

    static async Task<Graph> OfFileAsync(Cli cli, Workflow workflow, bool critical, List<(string Path, TimeSpan Duration)> given)
    {
        var edges = Definitions.Edges(workflow);
        CheckNames(given, edges);
        var estimates = (given.Count == 0 && critical ? await EstimatesAsync(cli, workflow.Name) : Estimates.None).With(given);
        var nodes = edges.Select(edge => (edge, step: workflow.Find(edge.Id)!))
            .Select(pair => new Node(pair.edge.Id, pair.step.Options.Title ?? pair.edge.Id, pair.step.Kind, pair.edge.Before, null, estimates.Of(pair.edge.Id))).ToList();
        return new Graph(workflow.Name, nodes, critical ? CriticalPath.Of(edges, id => estimates.Of(id) ?? TimeSpan.Zero) : null);
    }

    static async Task<Graph> OfRunAsync(Cli cli, string runId, bool critical, List<(string Path, TimeSpan Duration)> given)
    {
        await using var client = await cli.Store.OpenAsync(cli.Caller);
        var story = await Stories.ReadAsync(client, runId, cli.Stop);
        var edges = story.Defined.Select(step => (step.Path, step.Before)).ToList();
        CheckNames(given, edges);
        var estimates = (critical ? await Estimates.ReadAsync(client, story.Head.Workflow, cli.Stop) : Estimates.None)
            .With(story.Defined.Where(step => step.Current is { Status: StepStatus.Completed }).Select(step => (step.Path, step.Current!.Duration))).With(given);
        var ready = story.Head.Owner is null ? [] : story.Ready.Select(step => step.Path).ToHashSet();
        var nodes = story.Defined.Select(step => new Node(step.Path, step.Title ?? step.Path, step.Kind, step.Before, ready.Contains(step.Path) ? "running" : step.State,
            step.Current is { Duration.Ticks: > 0 } record ? record.Duration : null)).ToList();
        return new Graph($"{story.Head.RunId} ({HeadView.State(story.Head)})", nodes, critical ? CriticalPath.Of(edges, id => estimates.Of(id) ?? TimeSpan.Zero) : null);
    }

    static void CheckNames(List<(string Path, TimeSpan Duration)> given, List<(string Id, IReadOnlyList<string> Before)> edges)
    {
        foreach (var (path, _) in given)
            if (edges.All(edge => edge.Id != path)) throw new UsageException($"--durations: there is no step '{path}'.{Nearest.Hint(path, edges.Select(edge => edge.Id))}");
    }

    static async Task<Estimates> EstimatesAsync(Cli cli, string workflow)
    {
        if (cli.Store.Root is { } root && !Directory.Exists(root)) return Estimates.None;
        await using var client = await cli.Store.OpenAsync(cli.Caller);
        return await Estimates.ReadAsync(client, workflow, cli.Stop);
    }

    static void WriteJson(Cli cli, Graph graph) => cli.Json(w =>
    {
        w.WriteStartObject();
        w.WriteString("title", graph.Title);
        w.WriteStartArray("steps");
        foreach (var node in graph.Nodes)
        {
            w.WriteStartObject();
            w.WriteString("step", node.Id);
            w.WriteString("label", node.Label);
            w.WriteString("kind", node.Kind);
            HeadView.List(w, "after", node.Before);
            w.WriteString("state", node.State);
            if (node.Duration is { } took) w.WriteNumber("duration_ms", Math.Round(took.TotalMilliseconds, 3));
            else w.WriteNull("duration_ms");
            w.WriteEndObject();
        }
        w.WriteEndArray();
        if (graph.Critical is { } path)
        {
            HeadView.List(w, "critical_path", path.Steps);
            w.WriteNumber("critical_path_ms", Math.Round(path.Length.TotalMilliseconds, 3));
            w.WriteNumber("sequential_ms", Math.Round(path.Sum.TotalMilliseconds, 3));
        }
        w.WriteEndObject();
    });
}

using System.Text;
using Pawl.Cli.View;

namespace Pawl.Cli.Graphs;

/// <summary>The graph as lines of text: each step on a line, its arrows as rails to the left, drawn from what is above to what is below.</summary>
static class AsciiGraph
{
    // More rails than this are no drawing any more; then names stand for arrows.
    const int MostRails = 24;

    public static void Draw(Graph graph, Cli cli)
    {
        cli.Say(cli.Ink.Strong(graph.Title));
        var order = CriticalPath.Waves([.. graph.Nodes.Select(node => (node.Id, node.Before))]).SelectMany(wave => wave.Select(edge => edge.Id)).ToList();
        var nodes = graph.Nodes.ToDictionary(node => node.Id);
        var last = LastUse(graph, order);
        var rails = new List<string?>();
        var lines = new List<(string Rails, Node Node)>();
        foreach (var id in order)
        {
            // A rail ends with the last step that hangs on it, and leaves its place to the next.
            var node = nodes[id];
            var place = Place(rails, node, id, last);
            lines.Add((Row(rails, node, place), node));
            for (var i = 0; i < rails.Count; i++) if (rails[i] is { } from && last.GetValueOrDefault(from) == id) rails[i] = null;
            Put(rails, place, last.ContainsKey(id) ? id : null);
            while (rails.Count > 0 && rails[^1] is null) rails.RemoveAt(rails.Count - 1);
        }
        var drawn = lines.Max(line => line.Rails.Length) <= MostRails * 2;
        var width = drawn ? lines.Max(line => line.Rails.Length) : 2;
        var labels = lines.Max(line => line.Node.Label.Length);
        foreach (var (text, node) in lines) cli.Say(Line(graph, cli, drawn ? text.PadRight(width) : "○ ", node, labels));
    }

    /// <summary>For each step the last one, in drawing order, that comes after it.</summary>
    static Dictionary<string, string> LastUse(Graph graph, List<string> order)
    {
        var last = new Dictionary<string, string>();
        var nodes = graph.Nodes.ToDictionary(node => node.Id);
        foreach (var id in order) foreach (var before in nodes[id].Before) last[before] = id;
        return last;
    }

    /// <summary>On the rail of its only or first ending parent, else on the first free one.</summary>
    static int Place(List<string?> rails, Node node, string id, Dictionary<string, string> last)
    {
        for (var i = 0; i < rails.Count; i++) if (rails[i] is { } from && node.Before.Contains(from) && last[from] == id) return i;
        var free = rails.IndexOf(null);
        return free >= 0 ? free : rails.Count;
    }

    static void Put(List<string?> rails, int place, string? id)
    {
        while (rails.Count <= place) rails.Add(null);
        rails[place] = id;
    }

    static string Row(List<string?> rails, Node node, int place)
    {
        var count = Math.Max(rails.Count, place + 1);
        var joins = Enumerable.Range(0, count).Where(i => i < rails.Count && rails[i] is { } from && node.Before.Contains(from)).Append(place).ToList();
        var (left, right) = (joins.Min(), joins.Max());
        var row = new StringBuilder();
        for (var i = 0; i < count; i++)
        {
            var rail = i < rails.Count && rails[i] is not null;
            var inside = i > left && i < right;
            row.Append(i == place ? Graph.Sign(node.State) : joins.Contains(i) ? (i == left ? "├" : i == right ? "┤" : "┼") : inside ? (rail ? "│" : "─") : rail ? "│" : " ");
            row.Append(i >= left && i < right ? '─' : ' ');
        }
        return row.ToString();
    }

    static string Line(Graph graph, Cli cli, string rails, Node node, int labels)
    {
        var notes = new List<string>();
        if (node.Duration is { } took) notes.Add(Human.Duration(took));
        if (node.Kind is not ("shell" or "code")) notes.Add(node.Kind);
        if (node.State is not (null or "pending" or "completed")) notes.Add(node.State);
        if (graph.IsCritical(node.Id)) notes.Add("◀ critical");
        var label = graph.IsCritical(node.Id) ? cli.Ink.Strong(node.Label.PadRight(labels)) : node.Label.PadRight(labels);
        var after = node.Before.Count > 0 ? cli.Ink.Faint($"← {string.Join(", ", node.Before)}") : "";
        return $"{(node.State is { } state ? cli.Ink.Of(state, rails) : rails)} {label}  {string.Join("  ", notes.Append(after).Where(note => note.Length > 0))}".TrimEnd();
    }
}

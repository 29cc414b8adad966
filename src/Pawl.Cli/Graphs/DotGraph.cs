using System.Text;
using Pawl.Cli.View;

namespace Pawl.Cli.Graphs;

/// <summary>The graph in Graphviz' language.</summary>
static class DotGraph
{
    public static string Draw(Graph graph)
    {
        var text = new StringBuilder($"digraph {Quote(graph.Title)} {{\n  rankdir=TB;\n  node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"sans-serif\"];\n");
        foreach (var node in graph.Nodes)
        {
            var label = node.Duration is { } took ? $"{node.Label}\n{Human.Duration(took)}" : node.Label;
            text.Append("  ").Append(Quote(node.Id)).Append(" [label=").Append(Quote(label)).Append(", fillcolor=\"").Append(Colour(node.State)).Append('"').Append(graph.IsCritical(node.Id) ? ", penwidth=3];\n" : "];\n");
        }
        foreach (var node in graph.Nodes)
            foreach (var before in node.Before)
                text.Append("  ").Append(Quote(before)).Append(" -> ").Append(Quote(node.Id)).Append(graph.IsCritical(before, node.Id) ? " [penwidth=3];\n" : ";\n");
        return text.Append("}\n").ToString();
    }

    static string Colour(string? state) => state switch { "completed" => "#d4f4dd", "failed" => "#ffd7d5", "running" => "#fff8c5", null => "white", _ => "#f6f8fa" };

    static string Quote(string text) => $"\"{string.Join("\\n", text.Split('\n').Select(line => Human.Line(line).Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)))}\"";
}

using System.Text;
using Pawl.Cli.View;

namespace Pawl.Cli.Graphs;

/// <summary>The graph as a Mermaid flowchart.</summary>
static class MermaidGraph
{
    public static string Draw(Graph graph)
    {
        var text = new StringBuilder("flowchart TD\n");
        var names = graph.Nodes.Select((node, index) => (node.Id, Name: $"s{index}")).ToDictionary(pair => pair.Id, pair => pair.Name);
        foreach (var node in graph.Nodes)
        {
            var label = Escape(node.Label) + (node.Duration is { } took ? $"<br/>{Human.Duration(took)}" : "");
            text.Append("    ").Append(names[node.Id]).Append("[\"").Append(label).Append("\"]");
            if (node.State is { } state) text.Append(":::").Append(state);
            text.Append('\n');
        }
        foreach (var node in graph.Nodes)
            foreach (var before in node.Before)
                text.Append("    ").Append(names[before]).Append(graph.IsCritical(before, node.Id) ? " ==> " : " --> ").Append(names[node.Id]).Append('\n');
        if (graph.Nodes.Any(node => node.State is not null))
            text.Append("    classDef completed fill:#d4f4dd,stroke:#1a7f37\n    classDef failed fill:#ffd7d5,stroke:#cf222e\n    classDef running fill:#fff8c5,stroke:#9a6700\n    classDef skipped,blocked,canceled,pending fill:#f6f8fa,stroke:#8c959f\n");
        return text.ToString();
    }

    static string Escape(string label)
    {
        var text = new StringBuilder();
        foreach (var c in Human.Line(label)) text.Append(c is '"' or '<' or '>' or '&' or '#' or ';' or '`' ? $"#{(int)c};" : c);
        return text.ToString();
    }
}

using Pawl.Cli.View;

namespace Pawl.Cli.Graphs;

/// <summary>A step in a drawing.</summary>
/// <param name="Id">Its path.</param>
/// <param name="Label">What is shown.</param>
/// <param name="Kind">shell, group, foreach, …</param>
/// <param name="Before">What it comes after, among the nodes of the drawing.</param>
/// <param name="State">What became of it; null when there is no run.</param>
/// <param name="Duration">How long it took, or usually takes.</param>
sealed record Node(string Id, string Label, string Kind, IReadOnlyList<string> Before, string? State, TimeSpan? Duration);

/// <summary>What is drawn: steps, and the chain that decides when it was asked for.</summary>
sealed record Graph(string Title, IReadOnlyList<Node> Nodes, CriticalPath? Critical)
{
    public bool IsCritical(string id) => Critical?.Steps.Contains(id) == true;

    /// <summary>The arrow lies on the chain.</summary>
    public bool IsCritical(string from, string to)
    {
        if (Critical is not { Steps: var chain }) return false;
        for (var i = 1; i < chain.Count; i++) if (chain[i - 1] == from && chain[i] == to) return true;
        return false;
    }

    public static string Sign(string? state) => state switch { null => "○", "completed" => "✓", "failed" => "✗", "skipped" or "blocked" => "↷", "canceled" => "■", "running" => "▶", _ => "·" };
}

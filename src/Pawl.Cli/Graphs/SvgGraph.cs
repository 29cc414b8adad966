using System.Globalization;
using System.Net;
using System.Text;
using Pawl.Cli.View;

namespace Pawl.Cli.Graphs;

/// <summary>The graph as a picture for any browser or page: a row for each wave of steps, arrows from above to below.</summary>
static class SvgGraph
{
    const double RowHeight = 84, BoxHeight = 44, Gap = 20, Margin = 16, Letter = 7.3, Rail = 4;
    const int MostLetters = 36, Sweeps = 4;

    /// <summary>A place in a row: a step, or where the arrows of a step further up pass.</summary>
    sealed class Spot(Node from, bool isStep, bool isCritical)
    {
        public Node From => from;
        public bool IsStep => isStep;
        public bool IsCritical => isCritical;
        public List<Spot> Above { get; } = [];
        public double Width { get; } = isStep ? Math.Max(Text(from).Length, Took(from).Length) * Letter + 20 : Rail;
        public double Middle { get; set; }
    }

    public static string Draw(Graph graph)
    {
        var rows = Rows(graph);
        Order(rows);
        var width = rows.Max(Width) + 2 * Margin;
        foreach (var row in rows)
        {
            var x = (width - Width(row)) / 2;
            foreach (var spot in row) (spot.Middle, x) = (x + spot.Width / 2, x + spot.Width + Gap);
        }
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 {width:0} {rows.Count * RowHeight - RowHeight + BoxHeight + 2 * Margin:0}\" width=\"{width:0}\" font-family=\"monospace\" font-size=\"12\">\n<title>{Escape(graph.Title)}</title>\n");
        text.Append("<defs><marker id=\"to\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0 8 4 0 8z\" fill=\"#6e7781\"/></marker></defs>\n");
        // Arrows first: a box lies over what passes below it.
        for (var r = 1; r < rows.Count; r++)
            foreach (var spot in rows[r]) foreach (var above in spot.Above) Arrow(text, graph, above, spot, Margin + (r - 1) * RowHeight);
        for (var r = 0; r < rows.Count; r++)
            foreach (var spot in rows[r].Where(spot => spot.IsStep)) Box(text, spot, Margin + r * RowHeight);
        return text.Append("</svg>\n").ToString();
    }

    static double Width(List<Spot> row) => row.Sum(spot => spot.Width) + Gap * (row.Count - 1);

    /// <summary>The steps in their waves; the arrows of a step go side by side through the rows between it and what comes after it.</summary>
    static List<List<Spot>> Rows(Graph graph)
    {
        var nodes = graph.Nodes.ToDictionary(node => node.Id);
        var waves = CriticalPath.Waves([.. graph.Nodes.Select(node => (node.Id, node.Before))]);
        var (last, critical) = (new Dictionary<string, int>(), new Dictionary<string, int>());
        for (var r = 0; r < waves.Count; r++)
            foreach (var (id, before) in waves[r])
                foreach (var from in before)
                {
                    last[from] = r;
                    if (graph.IsCritical(from, id)) critical[from] = r;
                }
        var rows = new List<List<Spot>>();
        var open = new Dictionary<string, Spot>();
        for (var r = 0; r < waves.Count; r++)
        {
            var row = new List<Spot>();
            foreach (var (id, before) in waves[r])
            {
                var spot = new Spot(nodes[id], isStep: true, graph.IsCritical(id));
                spot.Above.AddRange(before.Where(open.ContainsKey).Select(from => open[from]));
                row.Add(spot);
            }
            foreach (var (id, above) in open.Where(pair => last.GetValueOrDefault(pair.Key) > r).ToList())
            {
                open[id] = new Spot(above.From, isStep: false, critical.GetValueOrDefault(id) > r);
                open[id].Above.Add(above);
                row.Add(open[id]);
            }
            foreach (var spot in row.Where(spot => spot.IsStep)) open[spot.From.Id] = spot;
            rows.Add(row);
        }
        return rows;
    }

    /// <summary>What hangs on its left neighbour's parents goes left: few arrows cross.</summary>
    static void Order(List<List<Spot>> rows)
    {
        for (var sweep = 0; sweep < Sweeps; sweep++)
            foreach (var row in rows)
            {
                var sorted = row.OrderBy(spot => spot.Above.Count == 0 ? spot.Middle : spot.Above.Average(above => above.Middle)).ToList();
                row.Clear();
                row.AddRange(sorted);
                for (var i = 0; i < row.Count; i++) row[i].Middle = (i + 0.5) / row.Count;
            }
    }

    static void Arrow(StringBuilder text, Graph graph, Spot from, Spot to, double top)
    {
        var (begin, end) = (top + BoxHeight, top + RowHeight);
        var bend = (begin + end) / 2;
        var strong = to.IsStep ? graph.IsCritical(from.From.Id, to.From.Id) : to.IsCritical;
        // What passes a row goes straight through it.
        text.Append(CultureInfo.InvariantCulture, $"<path d=\"M{from.Middle:0.#} {(from.IsStep ? begin : top):0.#}V{begin:0.#}C{from.Middle:0.#} {bend:0.#} {to.Middle:0.#} {bend:0.#} {to.Middle:0.#} {end:0.#}\" fill=\"none\" stroke=\"#6e7781\"{(strong ? " stroke-width=\"3\"" : "")}{(to.IsStep ? " marker-end=\"url(#to)\"" : "")}/>\n");
    }

    static void Box(StringBuilder text, Spot spot, double top)
    {
        var node = spot.From;
        var (fill, stroke) = node.State switch { "completed" => ("#d4f4dd", "#1a7f37"), "failed" => ("#ffd7d5", "#cf222e"), "running" => ("#fff8c5", "#9a6700"), null => ("#ffffff", "#57606a"), _ => ("#f6f8fa", "#8c959f") };
        text.Append(CultureInfo.InvariantCulture, $"<g><title>{Escape(node.Id)}{(node.State is { } state ? $": {state}" : "")}</title><rect x=\"{spot.Middle - spot.Width / 2:0.#}\" y=\"{top:0.#}\" width=\"{spot.Width:0.#}\" height=\"{BoxHeight:0}\" rx=\"6\" fill=\"{fill}\" stroke=\"{stroke}\"{(spot.IsCritical ? " stroke-width=\"3\"" : "")}/>");
        var took = Took(node);
        text.Append(CultureInfo.InvariantCulture, $"<text x=\"{spot.Middle:0.#}\" y=\"{top + (took.Length > 0 ? 19 : 26):0.#}\" text-anchor=\"middle\" fill=\"#1f2328\">{Escape(Text(node))}</text>");
        if (took.Length > 0) text.Append(CultureInfo.InvariantCulture, $"<text x=\"{spot.Middle:0.#}\" y=\"{top + 35:0.#}\" text-anchor=\"middle\" fill=\"#57606a\">{Escape(took)}</text>");
        text.Append("</g>\n");
    }

    static string Text(Node node) => $"{(node.State is null ? "" : Graph.Sign(node.State) + " ")}{Human.Line(node.Label, MostLetters)}";

    static string Took(Node node) => node.Duration is { } took ? Human.Duration(took) : "";

    static string Escape(string text) => WebUtility.HtmlEncode(Human.Line(text));
}

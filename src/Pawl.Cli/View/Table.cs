namespace Pawl.Cli.View;

/// <summary>Columns of text. The last one is cut at the terminal's width.</summary>
sealed class Table(params string[] headings)
{
    readonly List<(string[] Cells, string? State)> _rows = [];

    /// <param name="state">Colours the row's second column.</param>
    /// <param name="cells">One text for each heading.</param>
    public void Add(string? state, params string[] cells) => _rows.Add(([.. cells.Select(cell => Human.Line(cell))], state));

    public void Write(Cli cli)
    {
        var widths = headings.Select(heading => heading.Length).ToArray();
        foreach (var (cells, _) in _rows)
            for (var i = 0; i < widths.Length; i++) widths[i] = Math.Max(widths[i], cells[i].Length);
        var before = widths[..^1].Sum() + 2 * (widths.Length - 1);
        var last = cli.Caller.Width == int.MaxValue || cli.IsJson ? int.MaxValue : Math.Max(10, cli.Caller.Width - before - 1);
        cli.Say(cli.Ink.Faint(Join(headings, null)));
        foreach (var (cells, state) in _rows) cli.Say(Join(cells, state));

        string Join(string[] cells, string? state)
        {
            var parts = new string[cells.Length];
            for (var i = 0; i < cells.Length; i++)
            {
                var text = i == cells.Length - 1 ? Human.Line(cells[i], last) : cells[i].PadRight(widths[i]);
                parts[i] = i == 1 && state is not null ? cli.Ink.Of(state, text) : text;
            }
            return string.Join("  ", parts).TrimEnd();
        }
    }
}

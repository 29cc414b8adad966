using System.CommandLine;
using System.Globalization;

namespace Pawl.Cli.Input;

/// <summary>Limits as they are written on the command line: <c>cost_usd=10</c>.</summary>
static class BudgetText
{
    public static Option<string[]> Option() => new("--budget") { Description = "A limit over the workflow's: cost_usd=10, tokens=500000 or duration=2h; may be repeated", HelpName = "NAME=VALUE" };

    /// <summary>Null without any.</summary>
    public static Budget? Parse(string[]? given)
    {
        var pairs = Params.Pairs("--budget", given);
        var budget = new Budget();
        foreach (var (name, value) in pairs)
        {
            budget = name switch
            {
                "cost_usd" when decimal.TryParse(value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var usd) => budget with { CostUsd = usd },
                "tokens" when long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var tokens) => budget with { Tokens = tokens },
                "duration" => budget with { Duration = Spans.Parse("--budget duration", value) },
                _ => throw new UsageException($"--budget '{name}={value}': write cost_usd=10, tokens=500000 or duration=2h."),
            };
        }
        return pairs.Count == 0 ? null : budget;
    }
}

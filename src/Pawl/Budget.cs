using System.Globalization;
using System.Text.Json;
using Pawl.Engine;

namespace Pawl;

/// <summary>What a run may take in all, over all its passes. When it took more, running steps finish, nothing new starts, and the run is paused;
/// a resume is refused until the budget is raised. Looked at as each attempt ends, from the journal's figures: a crash forgets none of them.</summary>
public sealed record Budget
{
    /// <summary>US dollars; null is no limit.</summary>
    public decimal? CostUsd { get; init; }

    /// <summary>Tokens; null is no limit.</summary>
    public long? Tokens { get; init; }

    /// <summary>Time of attempts (see <see cref="Cost.Duration"/>), not of waiting between passes; null is no limit.</summary>
    public TimeSpan? Duration { get; init; }

    /// <summary>The definition's limits, those of the start and of earlier resumes over them, and those asked for now over all.</summary>
    internal static Budget? InForce(Budget? defined, Journal journal, Budget? asked = null)
    {
        var budget = defined;
        if (journal.CreatedData!.RootElement.TryGetProperty("budget", out var begun)) budget = Over(budget, Read(begun));
        foreach (var pass in journal.Passes)
        {
            if (pass.Data.Span.IndexOf("\"budget\""u8) < 0) continue;
            using var data = JsonDocument.Parse(pass.Data);
            if (data.RootElement.TryGetProperty("budget", out var stored)) budget = Over(budget, Read(stored));
        }
        return asked is null ? budget : Over(budget, asked);
    }

    static Budget Over(Budget? under, Budget over) =>
        new() { CostUsd = over.CostUsd ?? under?.CostUsd, Tokens = over.Tokens ?? under?.Tokens, Duration = over.Duration ?? under?.Duration };

    /// <summary>What was exceeded, and how to raise it; null while the budget holds.</summary>
    internal (string What, string Mend)? Exceeded(Cost spent, string runId)
    {
        if (spent.CostUsd > CostUsd) return Told($"{Text(spent.CostUsd)} of {Text(CostUsd.Value)} USD", $"cost_usd={Text(Math.Ceiling(spent.CostUsd * 200) / 100)}");
        if (spent.Tokens > Tokens) return Told($"{spent.Tokens} of {Tokens} tokens", $"tokens={spent.Tokens * 2}");
        if (spent.Duration > Duration) return Told($"{spent.Duration:c} of {Duration:c} of work", $"duration={Math.Ceiling(spent.Duration.TotalMinutes * 2):0}m");
        return null;

        (string, string) Told(string what, string more) => (what, $"Raise it: 'budget' in the workflow file, or 'pawl resume {runId} --budget {more}'.");
        static string Text(decimal usd) => Math.Round(usd, 6).ToString("0.######", CultureInfo.InvariantCulture);
    }

    internal void Write(Utf8JsonWriter w)
    {
        w.WriteStartObject("budget");
        if (CostUsd is { } usd) w.WriteNumber("cost_usd", usd);
        if (Tokens is { } tokens) w.WriteNumber("tokens", tokens);
        if (Duration is { } duration) w.WriteNumber("duration_ms", Math.Round(duration.TotalMilliseconds));
        w.WriteEndObject();
    }

    static Budget Read(JsonElement stored) => new()
    {
        CostUsd = stored.TryGetProperty("cost_usd", out var usd) ? usd.GetDecimal() : null,
        Tokens = stored.TryGetProperty("tokens", out var tokens) ? tokens.GetInt64() : null,
        Duration = stored.TryGetProperty("duration_ms", out var duration) ? TimeSpan.FromMilliseconds(duration.GetDouble()) : null,
    };
}

using System.Text.Json;
using Pawl.Storage;

namespace Pawl;

/// <summary>What work took: time, calls, tokens, money. The figures are a step's metrics (<see cref="StepResult.Metrics"/>) by their standard names:
/// <c>calls</c>, <c>tokens</c> (else <c>input_tokens</c> and <c>output_tokens</c> together), <c>cost_usd</c>. What a step did not say counts as 0.</summary>
/// <param name="Duration">Time of attempts; what ran side by side counts each for itself.</param>
/// <param name="Calls">Calls of services.</param>
/// <param name="Tokens">Tokens read and written.</param>
/// <param name="CostUsd">US dollars.</param>
public readonly record struct Cost(TimeSpan Duration, long Calls, long Tokens, decimal CostUsd)
{
    // Beyond this a figure is a fault of whoever told it; sums stay in range.
    const decimal Most = 1e15m;

    /// <summary>Both together.</summary>
    public static Cost operator +(Cost a, Cost b) => new(a.Duration + b.Duration, a.Calls + b.Calls, a.Tokens + b.Tokens, a.CostUsd + b.CostUsd);

    /// <summary>The figures of a step with these beside its own. Its time is the step's own.</summary>
    internal IReadOnlyDictionary<string, double>? Beside(IReadOnlyDictionary<string, double>? metrics)
    {
        if ((Calls, Tokens, CostUsd) == default) return metrics;
        var all = new Dictionary<string, double>(metrics ?? new Dictionary<string, double>());
        if (Calls != 0) all["calls"] = all.GetValueOrDefault("calls") + Calls;
        if (Tokens != 0) all["tokens"] = all.GetValueOrDefault("tokens", all.GetValueOrDefault("input_tokens") + all.GetValueOrDefault("output_tokens")) + Tokens;
        if (CostUsd != 0) all["cost_usd"] = all.GetValueOrDefault("cost_usd") + (double)CostUsd;
        return all;
    }

    internal Cost Since(Cost before) => new(Duration - before.Duration, Calls - before.Calls, Tokens - before.Tokens, CostUsd - before.CostUsd);

    /// <summary>The sum.</summary>
    public static Cost Sum(IEnumerable<Cost> costs) => costs.Aggregate(default(Cost), (sum, cost) => sum + cost);

    /// <summary>What the attempt behind a record took.</summary>
    public static Cost Of(Checkpoint record)
    {
        if (record.Metrics.IsEmpty) return new Cost(record.Duration, 0, 0, 0);
        var (calls, usd, tokens, both) = (0m, 0m, (decimal?)null, 0m);
        var reader = new Utf8JsonReader(record.Metrics.Span);
        while (reader.Read())
        {
            if (reader.TokenType != JsonTokenType.PropertyName || reader.CurrentDepth != 1) continue;
            var isCalls = reader.ValueTextEquals("calls"u8);
            var isUsd = reader.ValueTextEquals("cost_usd"u8);
            var isTokens = reader.ValueTextEquals("tokens"u8);
            var isPart = reader.ValueTextEquals("input_tokens"u8) || reader.ValueTextEquals("output_tokens"u8);
            reader.Read();
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetDecimal(out var value)) continue;
            value = Math.Clamp(value, 0, Most);
            if (isCalls) calls = value;
            else if (isUsd) usd = value;
            else if (isTokens) tokens = value;
            else if (isPart) both += value;
        }
        return new Cost(record.Duration, (long)calls, (long)(tokens ?? both), usd);
    }

    /// <summary>Writes <c>duration_ms</c>, <c>calls</c>, <c>tokens</c> and <c>cost_usd</c> into an object of its own.</summary>
    public void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteNumber("duration_ms", Math.Round(Duration.TotalMilliseconds, 3));
        writer.WriteNumber("calls", Calls);
        writer.WriteNumber("tokens", Tokens);
        writer.WriteNumber("cost_usd", CostUsd);
        writer.WriteEndObject();
    }

    internal static Cost Read(JsonElement value) => new(
        TimeSpan.FromMilliseconds(value.GetProperty("duration_ms").GetDouble()), value.GetProperty("calls").GetInt64(), value.GetProperty("tokens").GetInt64(), value.GetProperty("cost_usd").GetDecimal());
}

/// <summary>What a model's tokens cost. A step that tells <c>input_tokens</c> and <c>output_tokens</c>, but no <c>cost_usd</c>, and names its <c>model</c> in
/// <see cref="StepResult.Info"/>, gets its <c>cost_usd</c> from here as it is recorded: a later price changes no record.</summary>
/// <param name="InputUsd">US dollars for a million tokens read.</param>
/// <param name="OutputUsd">US dollars for a million tokens written.</param>
public sealed record ModelPrice(decimal InputUsd, decimal OutputUsd)
{
    /// <summary>A step's metrics with the price of its tokens, where it did not say it and the table knows its model.</summary>
    internal static IReadOnlyDictionary<string, double>? Priced(StepResult result, IReadOnlyDictionary<string, ModelPrice>? prices, Action<string> unknown)
    {
        if (prices is null || result is not { Metrics: { } metrics, Info: { } info } || metrics.ContainsKey("cost_usd")) return result.Metrics;
        using var facts = JsonDocument.Parse(info.Utf8);
        if (!facts.RootElement.TryGetProperty("model", out var model) || model.ValueKind != JsonValueKind.String) return metrics;
        if (!prices.TryGetValue(model.GetString()!, out var price))
        {
            if (metrics.ContainsKey("input_tokens") || metrics.ContainsKey("output_tokens")) unknown(model.GetString()!);
            return metrics;
        }
        var usd = (metrics.GetValueOrDefault("input_tokens") * (double)price.InputUsd + metrics.GetValueOrDefault("output_tokens") * (double)price.OutputUsd) / 1e6;
        return new Dictionary<string, double>(metrics) { ["cost_usd"] = Math.Round(usd, 9) };
    }
}

/// <summary>What one step of a run took, all its attempts together. What is below it has figures of its own: the steps' sum is the run's.</summary>
/// <param name="Path">The step.</param>
/// <param name="Attempts">Attempts made.</param>
/// <param name="Spent">What they took, failed ones included.</param>
public sealed record StepCost(string Path, int Attempts, Cost Spent);

/// <summary>What one pass over a run took, and what it did not have to do again.</summary>
/// <param name="Number">The pass, from 1.</param>
/// <param name="BeganAt">When it began.</param>
/// <param name="End">How it ended; null when it goes on, or its process died.</param>
/// <param name="Spent">What its attempts took.</param>
/// <param name="Reused">What the recorded results once took that it began with: saved by the resume, or by the fork.</param>
/// <param name="Skipped">What the results once took of steps that were skipped as unchanged, or played from another run.</param>
public sealed record PassCost(int Number, DateTimeOffset BeganAt, RunStatus? End, Cost Spent, Cost Reused, Cost Skipped);

/// <summary>The cost ledger of a run, computed from its journal. Child runs have ledgers of their own; their calls, tokens and
/// money are also among those of the step that ran them.</summary>
public sealed record RunCosts
{
    /// <summary>The run.</summary>
    public required RunHead Head { get; init; }

    /// <summary>Each step that was attempted, in the order of their first records.</summary>
    public required IReadOnlyList<StepCost> Steps { get; init; }

    /// <summary>Each pass.</summary>
    public required IReadOnlyList<PassCost> Passes { get; init; }

    /// <summary>All passes together.</summary>
    public Cost Spent => Cost.Sum(Passes.Select(pass => pass.Spent));

    /// <summary>What resumes, forks and skips saved.</summary>
    public Cost Saved => Cost.Sum(Passes.Select(pass => pass.Reused + pass.Skipped));
}

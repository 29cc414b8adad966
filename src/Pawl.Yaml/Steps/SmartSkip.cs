using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Pawl.Yaml;

/// <summary>What a step read, as it is kept with its result.</summary>
internal sealed record StepInputs
{
    /// <summary>The hash of what the step does.</summary>
    public string Definition { get; init; } = "";

    /// <summary>Params and expressions with their values; long ones as a hash.</summary>
    public SortedDictionary<string, string> Values { get; init; } = [];

    /// <summary>Content hashes of the files that <c>sources</c> matched.</summary>
    public SortedDictionary<string, string> Sources { get; init; } = [];

    /// <summary>Content hashes of the files that <c>generates</c> matched afterwards.</summary>
    public SortedDictionary<string, string> Generates { get; init; } = [];

    /// <summary>The commit it ran on, and whether the files it looks at were as that commit has them.</summary>
    public GitState? Git { get; init; }
}

internal sealed record GitState(string Commit, bool Clean);

/// <summary>Decides whether a step with <c>sources</c> or <c>git: changed</c> is needed. What is not known skips nothing.</summary>
internal sealed class SmartSkip
{
    const int MostNamed = 3;
    const int LongestValue = 100;

    readonly string _directory;
    readonly StepInputs? _inputs;
    readonly IReadOnlyList<string> _generates;

    SmartSkip(string directory, IReadOnlyList<string> generates, StepInputs? inputs, string reason, StepResult? skip)
    {
        _directory = directory;
        _generates = generates;
        _inputs = inputs;
        Reason = reason;
        Skip = skip;
    }

    /// <summary>The result, when the step is not needed.</summary>
    public StepResult? Skip { get; }

    /// <summary>Why it runs.</summary>
    public string Reason { get; }

    public static async Task<SmartSkip> LookAsync(StepContext context, SkipRule rule, StepScope scope, string definition, string directory)
    {
        var generates = Texts(rule.Generates, scope);
        try
        {
            // What the step makes is not what it reads, also where the patterns overlap.
            IReadOnlyList<string> sources = [.. Texts(rule.Sources, scope), .. generates.Where(pattern => !pattern.StartsWith('!')).Select(pattern => "!" + pattern)];
            var inputs = new StepInputs { Definition = definition, Values = ValuesOf(rule, scope) };
            if (!rule.GitChanged) inputs = inputs with { Sources = Hashes(directory, sources) };
            var git = rule.GitChanged ? await GitChanges.LookAsync(context, directory, rule.Sources.Count == 0 ? ["**", .. sources] : sources) : null;
            inputs = inputs with { Git = git?.State };
            if (!rule.GitChanged && inputs.Sources.Count == 0) return Run("no file matches 'sources'");
            if (git?.Problem is { } problem) return Run($"git cannot tell: {problem}");

            var past = await context.History.FindLastSuccessAsync(context.Path, context.CancellationToken);
            if (past is null) return Run("no earlier success is known");
            if (Parse(past.Inputs) is not { } before) return Run($"the record of run {past.RunId} cannot be read");
            var changes = Changes(before, inputs).Concat(Missing(directory, generates, before)).ToList();
            if (git is not null) changes.AddRange(await git.SinceAsync(before.Git));
            if (changes.Count > 0) return Run(Name(changes));
            var reason = $"unchanged since run {past.RunId}: {(git is null ? Count(inputs.Sources.Count, "source") : $"git shows no changes since {git.State!.Commit[..8]}")}, {Count(before.Generates.Count, "generated file")}";
            // The same inputs again, so that the next run can look back on this one.
            var skip = StepResult.Skip(reason, past.Output, unchanged: true) with { Inputs = past.Inputs, Info = Saved(past.Cost) };
            return new SmartSkip(directory, generates, inputs, reason, skip);

            SmartSkip Run(string reason) => new(directory, generates, inputs, reason, null);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or FormatException and not ExpressionException)
        {
            return new SmartSkip(directory, generates, null, $"cannot tell whether it is needed: {error.Message}", null);
        }
    }

    static RawJson Saved(Cost cost)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WritePropertyName("saved");
            cost.Write(writer);
            writer.WriteEndObject();
        }
        return new RawJson(buffer.WrittenMemory);
    }

    /// <summary>The result with what the step read and made.</summary>
    public async Task<StepResult> FinishAsync(StepContext context, StepResult result)
    {
        if (_inputs is null || result.Status != StepStatus.Completed) return result with { Reason = Reason };
        try
        {
            foreach (var pattern in Unmatched(_directory, _generates)) context.Warn($"Step '{context.Path}' made nothing that matches '{pattern}' of its 'generates', so it will run again the next time.");
            var made = _generates.Count == 0 ? [] : await Task.Run(() => Hashes(_directory, _generates), context.CancellationToken);
            return result with { Reason = Reason, Inputs = Write(_inputs with { Generates = made }) };
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            context.Warn($"What step '{context.Path}' made cannot be read, so it will run again the next time: {error.Message}");
            return result with { Reason = Reason };
        }
    }

    static List<string> Texts(IReadOnlyList<Template> templates, StepScope scope) => [.. templates.Select(template => template.Evaluate(scope).AsText())];

    static SortedDictionary<string, string> ValuesOf(SkipRule rule, StepScope scope)
    {
        var values = new SortedDictionary<string, string>(StringComparer.Ordinal);
        // A command sees every param in its environment, so each may matter.
        foreach (var name in scope.PlainParams) values[$"params.{name}"] = Short(scope.Mask(scope.Find("params")!.AsMap()!.Find(name)!.AsText()));
        foreach (var expression in rule.Values)
        {
            // Who runs it is not an input; a secret is never recorded, not even as a hash.
            if (expression.Names.Any(path => path.Segments[0] == "run" || (path.Segments[0] == "params" && !scope.PlainParams.Contains(path.Segments.ElementAtOrDefault(1) ?? "")))) continue;
            try
            {
                var text = scope.Mask(expression.Evaluate(scope).AsText());
                values[expression.ToString()] = expression.Names.Any(path => path.Segments[0] == "env") ? Hash(text) : Short(text);
            }
            catch (ExpressionException)
            {
                values[expression.ToString()] = "(none)";
            }
        }
        return values;

        static string Short(string text) => text.Length > LongestValue || text.Any(char.IsControl) ? Hash(text) : text;
    }

    static string Hash(string text) => $"sha256:{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..16]}";

    static SortedDictionary<string, string> Hashes(string directory, IReadOnlyList<string> patterns)
    {
        var hashes = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var path in Globs.Match(directory, patterns))
        {
            using var stream = Posix.OpenRead(Path.Combine(directory, path));
            hashes[path] = Convert.ToHexStringLower(SHA256.HashData(stream))[..16];
        }
        return hashes;
    }

    static IEnumerable<string> Changes(StepInputs before, StepInputs now)
    {
        if (before.Definition != now.Definition) yield return "the step's definition changed";
        foreach (var (name, value) in now.Values)
        {
            var what = name.StartsWith("params.", StringComparison.Ordinal) && !name.AsSpan(7).ContainsAny(". (") ? $"param {name[7..]}" : name;
            if (!before.Values.TryGetValue(name, out var old)) yield return $"{what} is new";
            else if (old != value) yield return old.StartsWith("sha256:", StringComparison.Ordinal) || value.StartsWith("sha256:", StringComparison.Ordinal) ? $"{what} changed" : $"{what} changed from '{old}' to '{value}'";
        }
        foreach (var name in before.Values.Keys.Where(name => !now.Values.ContainsKey(name))) yield return $"{name} is gone";
        foreach (var (path, hash) in now.Sources)
        {
            if (!before.Sources.TryGetValue(path, out var old)) yield return $"{path} is new";
            else if (old != hash) yield return $"{path} changed";
        }
        foreach (var path in before.Sources.Keys.Where(path => !now.Sources.ContainsKey(path))) yield return $"{path} is gone";
    }

    static IEnumerable<string> Missing(string directory, List<string> generates, StepInputs before)
    {
        if (generates.Count == 0) yield break;
        var now = Hashes(directory, generates);
        foreach (var (path, hash) in before.Generates)
        {
            if (!now.TryGetValue(path, out var found)) yield return $"{path} is missing";
            else if (found != hash) yield return $"{path} is not as the step left it";
        }
        foreach (var pattern in Unmatched(directory, generates)) yield return $"nothing matches '{pattern}' of 'generates'";
    }

    static IEnumerable<string> Unmatched(string directory, IReadOnlyList<string> patterns) =>
        patterns.Where(pattern => !pattern.StartsWith('!') && Globs.Match(directory, [pattern]).Count == 0);

    static string Name(List<string> changes)
    {
        var named = string.Join(", ", changes.Distinct().Take(MostNamed));
        var more = changes.Distinct().Count() - MostNamed;
        return more > 0 ? $"{named} and {more} more" : named;
    }

    static string Count(int count, string what) => $"{count} {what}{(count == 1 ? "" : "s")}";

    // By hand and not by reflection, so that trimmed programs can read what others wrote.
    static RawJson Write(StepInputs inputs)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            writer.WriteString("definition", inputs.Definition);
            foreach (var (name, values) in new[] { ("values", inputs.Values), ("sources", inputs.Sources), ("generates", inputs.Generates) })
            {
                writer.WriteStartObject(name);
                foreach (var (key, value) in values) writer.WriteString(key, value);
                writer.WriteEndObject();
            }
            if (inputs.Git is { } git)
            {
                writer.WriteStartObject("git");
                writer.WriteString("commit", git.Commit);
                writer.WriteBoolean("clean", git.Clean);
                writer.WriteEndObject();
            }
            writer.WriteEndObject();
        }
        return new RawJson(stream.ToArray());
    }

    /// <summary>Null when it is not what <see cref="Write"/> wrote.</summary>
    static StepInputs? Parse(RawJson json)
    {
        try
        {
            using var document = JsonDocument.Parse(json.Utf8);
            var root = document.RootElement;
            return new StepInputs
            {
                Definition = root.GetProperty("definition").GetString()!,
                Values = Read(root.GetProperty("values")),
                Sources = Read(root.GetProperty("sources")),
                Generates = Read(root.GetProperty("generates")),
                Git = root.TryGetProperty("git", out var git) ? new GitState(git.GetProperty("commit").GetString()!, git.GetProperty("clean").GetBoolean()) : null,
            };
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or KeyNotFoundException) { return null; }

        static SortedDictionary<string, string> Read(JsonElement values)
        {
            var read = new SortedDictionary<string, string>(StringComparer.Ordinal);
            foreach (var value in values.EnumerateObject()) read[value.Name] = value.Value.GetString() ?? "";
            return read;
        }
    }
}

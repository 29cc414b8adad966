namespace Pawl.Yaml;

/// <summary>The <c>prove</c> part of a workflow file. It changes nothing of a run.</summary>
internal sealed record ProveSettings(IReadOnlyList<string> Compare, IReadOnlyList<string> Ignore, IReadOnlyList<string> Exclude, string? Setup, string? Teardown, Decision? Approvals, IReadOnlyDictionary<string, RawJson?> Signals)
{
    /// <summary>The settings of a text that is known to be a valid workflow file.</summary>
    public static ProveSettings Of(string text)
    {
        var problems = new ProblemList(null, text);
        return Read(YamlReader.Read(text, problems) as YamlMapping, problems);
    }

    public static ProveSettings Read(YamlMapping? file, ProblemList problems)
    {
        var node = file?.Find("prove") as YamlMapping;
        return new ProveSettings(Patterns("compare"), Patterns("ignore"), Patterns("exclude"), node?.FindScalar("setup")?.Value, node?.FindScalar("teardown")?.Value,
            node?.FindScalar("approvals")?.Value switch { "approve" => Decision.Approved, "reject" => Decision.Rejected, _ => null },
            (node?.Find("signals") as YamlMapping)?.Entries.ToDictionary(entry => entry.Key.Value, entry => entry.Value is YamlScalar { IsNull: true } ? (RawJson?)null : entry.Value.ToJson()) ?? []);

        List<string> Patterns(string key)
        {
            var patterns = new List<string>();
            foreach (var one in node?.Find(key) is YamlSequence list ? list.Items : [node?.Find(key)!])
            {
                if (one is not YamlScalar pattern) continue;
                try { _ = Glob.Parse(pattern.Value); }
                catch (FormatException wrong) { problems.Error(pattern, wrong.Message); }
                patterns.Add(pattern.Value);
            }
            return patterns;
        }
    }
}

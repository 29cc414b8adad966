namespace Pawl.Yaml;

/// <summary>The <c>tools</c> of a workflow file: commands that print versions, by name. Recorded with a run; they change nothing of it.</summary>
internal static class ToolSettings
{
    // They are run at each start and resume.
    const int Most = 20;

    /// <summary>Those of a text that is known to be a valid workflow file.</summary>
    public static IReadOnlyDictionary<string, string> Of(string text)
    {
        var problems = new ProblemList(null, text);
        return Read(YamlReader.Read(text, problems) as YamlMapping, problems);
    }

    public static IReadOnlyDictionary<string, string> Read(YamlMapping? file, ProblemList problems)
    {
        var tools = new Dictionary<string, string>();
        foreach (var (name, command) in (file?.Find("tools") as YamlMapping)?.Entries ?? [])
        {
            if (!RunIds.IsValidStepId(name.Value)) problems.Error(name, $"'{YamlReader.Printable(name.Value)}' cannot name a tool.", "Use letters, digits, '.', '_' and '-'.");
            else if (tools.Count == Most) problems.Error(name, $"There are more than {Most} tools.");
            else if (command is YamlScalar text) tools[name.Value] = text.Value;
        }
        return tools;
    }
}

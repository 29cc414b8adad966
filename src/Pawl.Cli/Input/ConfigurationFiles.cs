using Pawl.Yaml;

namespace Pawl.Cli.Input;

/// <summary>Finds the configuration file: the one that is named; else beside the workflow file, or, where no file is named, in the current folder.</summary>
static class ConfigurationFiles
{
    /// <summary>Serves every model, whatever the configuration says: one variable makes a demonstration real.</summary>
    public const string ModelUrl = "PAWL_MODEL_URL", ModelName = "PAWL_MODEL", ModelKey = "PAWL_MODEL_KEY";

    const string Own = "pawl.yaml", InFolder = "config/workflow.yaml";

    public static Configuration Find(string? named, string folder, Caller caller)
    {
        var found = (named ?? (File.Exists(Path.Combine(folder, Own)) ? Path.Combine(folder, Own) : IsSettings(folder) ? Path.Combine(folder, InFolder) : null)) is { } path
            ? Configuration.Parse(Files.Read("The configuration file", path, caller), Shown(path, caller), caller.Directory, caller.Variable)
            : Configuration.None;
        if (caller.Variable(ModelUrl) is not { Length: > 0 } url) return found;
        return Uri.TryCreate(url, UriKind.Absolute, out var endpoint) && endpoint.Scheme is "http" or "https"
            ? found with { Everywhere = new ModelDefinition("") { Endpoint = endpoint, Model = caller.Variable(ModelName) ?? "", KeyVariable = caller.Variable(ModelKey) is null ? null : ModelKey } }
            : throw new UsageException($"{ModelUrl} is '{url}': write the address of an OpenAI-compatible server, for example http://localhost:11434/v1.");
    }

    /// <summary>A workflow may be called so, too: it has steps.</summary>
    static bool IsSettings(string folder)
    {
        var path = Path.Combine(folder, InFolder);
        return File.Exists(path) && !File.ReadLines(path).Any(line => line.StartsWith("steps:", StringComparison.Ordinal));
    }

    static string Shown(string path, Caller caller) =>
        Path.GetRelativePath(caller.Directory, caller.FullPath(path)) is var near && near.StartsWith("..", StringComparison.Ordinal) ? path : near;
}

using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Pawl.Cli.Input;

/// <summary>Which store, by option, environment or default.</summary>
/// <param name="Uri">As the caller wrote it.</param>
/// <param name="Root">The folder of a file store, whole; null for another kind.</param>
sealed record StoreChoice(string Uri, string? Root)
{
    const string Default = "file:.checkpoints";

    public static StoreChoice Of(string? option, Caller caller)
    {
        var uri = NotEmpty(option) ?? NotEmpty(caller.Variable("PAWL_STORE")) ?? (NotEmpty(caller.Variable("CHECKPOINT_DIR")) is { } folder ? $"file:{folder}" : Default);
        return new StoreChoice(uri, uri.StartsWith("file:", StringComparison.Ordinal) && uri.Length > 5 ? caller.FullPath(uri[5..]) : null);
    }

    /// <summary>What a pasted command needs to find the same store.</summary>
    public string[] AsOption => Uri == Default ? [] : ["--store", Uri];

    /// <summary>CHECKPOINT_ENABLED=false switches checkpoints off without a change to anything else.</summary>
    public static bool IsEnabled(Caller caller) => caller.Variable("CHECKPOINT_ENABLED")?.Trim().ToLowerInvariant() is not ("false" or "0" or "no" or "off");

    public PawlClient Open(Caller caller, bool checkpointing = true, ILoggerFactory? logging = null)
    {
        try
        {
            return PawlClient.Open(Root is null ? Uri : $"file:{Root}", new PawlOptions { Time = caller.Time, Checkpointing = checkpointing, Logging = logging ?? NullLoggerFactory.Instance });
        }
        catch (ArgumentException wrong)
        {
            throw new UsageException(wrong.Message);
        }
    }

    static string? NotEmpty(string? text) => string.IsNullOrWhiteSpace(text) ? null : text;
}

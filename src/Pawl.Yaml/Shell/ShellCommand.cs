namespace Pawl.Yaml;

/// <summary>What a shell step runs, with everything evaluated.</summary>
internal sealed record ShellCommand
{
    /// <summary>Which step of which run this is, the same for every attempt: <c>store run path</c>. At most one attempt with a key lives on a machine.</summary>
    public required string Key { get; init; }

    /// <summary>Default bash.</summary>
    public ShellKind Shell { get; init; } = ShellKind.Bash;

    /// <summary>The text of a <see cref="ShellScript"/>.</summary>
    public required string Script { get; init; }

    /// <summary>An existing folder.</summary>
    public required string WorkingDirectory { get; init; }

    /// <summary>Variables on top of the runner's own environment.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>Values that are replaced by <c>***</c> in all output.</summary>
    public IReadOnlyCollection<string> Secrets { get; init; } = [];

    /// <summary>Bytes of output that are kept: a quarter from the beginning, the rest from the end. Default 4 MiB.</summary>
    public int OutputLimit { get; init; } = 4 * 1024 * 1024;

    /// <summary>From the request to end to the kill. Default 5 s.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>An earlier attempt was made, perhaps by another process: its processes are looked for also when it ended in order.</summary>
    public bool IsRepeated { get; init; }
}

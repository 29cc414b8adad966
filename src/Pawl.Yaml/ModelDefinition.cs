namespace Pawl.Yaml;

/// <summary>A model that agents name. It knows where its key is, never the key.</summary>
internal sealed record ModelDefinition(string Name)
{
    /// <summary>The name of the model of agents that name none.</summary>
    public const string Default = "default";

    /// <summary>The server; null for a scripted model without one.</summary>
    public Uri? Endpoint { get; init; }

    /// <summary>What the server calls it.</summary>
    public string Model { get; init; } = "";

    /// <summary>The environment variable with its key.</summary>
    public string? KeyVariable { get; init; }

    /// <summary>The full path of a file with answers, instead of a server.</summary>
    public string? Script { get; init; }

    public ModelPrice? Price { get; init; }
    public float? Temperature { get; init; }
    public float? TopP { get; init; }
    public int? MaxTokens { get; init; }

    /// <summary>Longest wait for an answer, or for its next part.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(10);
}

using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Pawl.Testing;

/// <summary>The outputs of a proof's steps.</summary>
[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata)]
[JsonSerializable(typeof(Prover.Unbroken)), JsonSerializable(typeof(PointVerdict)), JsonSerializable(typeof(IReadOnlyList<PointVerdict>))]
sealed partial class ProvingJson : JsonSerializerContext
{
    public static JsonSerializerOptions Own { get; } = Create();

    static JsonSerializerOptions Create()
    {
        var options = new JsonSerializerOptions(PawlJson.Default) { TypeInfoResolver = JsonTypeInfoResolver.Combine(Default, PawlJson.Default.TypeInfoResolver) };
        options.MakeReadOnly();
        return options;
    }
}

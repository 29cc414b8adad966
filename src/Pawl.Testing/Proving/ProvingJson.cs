using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Pawl.Testing;

/// <summary>The outputs of a proof's steps.</summary>
[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata)]
[JsonSerializable(typeof(Prover.Unbroken)), JsonSerializable(typeof(PointVerdict)), JsonSerializable(typeof(IReadOnlyList<PointVerdict>))]
sealed partial class ProvingJson : JsonSerializerContext
{
    // Made when it is first asked for: 'Default' is a field of another part of this class, and which part is initialized first is not said.
    public static JsonSerializerOptions Own => field ??= Create();

    static JsonSerializerOptions Create()
    {
        var options = new JsonSerializerOptions(PawlJson.Default) { TypeInfoResolver = JsonTypeInfoResolver.Combine(Default, PawlJson.Default.TypeInfoResolver) };
        options.MakeReadOnly();
        return options;
    }
}

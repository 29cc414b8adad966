using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Pawl.Agents;

/// <summary>The JSON of a fleet's own records and of scripts, as <see cref="PawlJson.Default"/> writes it, for programs that are compiled ahead too.</summary>
[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata)]
[JsonSerializable(typeof(FleetBeginning)), JsonSerializable(typeof(FleetMessage)), JsonSerializable(typeof(PlanRecord)), JsonSerializable(typeof(RoundRecord)), JsonSerializable(typeof(ScriptedAnswer[]))]
sealed partial class AgentsJson : JsonSerializerContext
{
    static AgentsJson Own { get; } = new(new JsonSerializerOptions(PawlJson.Default));

    public static JsonTypeInfo<T> Of<T>() => (JsonTypeInfo<T>)Own.GetTypeInfo(typeof(T))!;
}

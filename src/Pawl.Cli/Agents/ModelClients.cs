using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using Pawl.Agents;
using Pawl.Yaml;

namespace Pawl.Cli.Agents;

/// <summary>The models of one step: each named one is one client.</summary>
sealed class ModelClients(Configuration configuration, AgentProgress progress) : IDisposable
{
    readonly Dictionary<string, IChatClient> _clients = [];

    public IChatClient Of(string name)
    {
        if (_clients.TryGetValue(name, out var known)) return known;
        var model = configuration.FindModel(name) ?? throw new StepException($"There is no model '{name}' in {configuration.Path ?? "pawl.yaml"}.");
        return _clients[name] = new Metered(model.Script is null ? new OpenAiChatClient(model, Key(model)) : Scripted(model), model, progress);
    }

    /// <summary>Keys of the models, to be masked.</summary>
    public static IReadOnlyList<string> Keys(Configuration configuration) =>
        [.. configuration.Models.Values.Append(configuration.Everywhere).OfType<ModelDefinition>().Select(Key).OfType<string>().Where(key => key.Length > 0).Distinct()];

    static string? Key(ModelDefinition model) => model.KeyVariable is { } variable ? Environment.GetEnvironmentVariable(variable) : null;

    static ScriptedChatClient Scripted(ModelDefinition model)
    {
        try
        {
            var text = File.ReadAllText(model.Script!);
            var problems = new ProblemList(model.Script, text);
            var script = YamlReader.Read(text, problems);
            if (script is null || problems.HasErrors) throw new StepException($"The script of the model '{model.Name}' cannot be read: {problems.Items[0]}");
            var answers = script is YamlMapping map && map.Find("answers") is { } list ? list : script;
            return ScriptedChatClient.FromJson($$"""{"model":{{System.Text.Json.JsonSerializer.Serialize(model.Model, PawlJson.Default.GetTypeInfo(typeof(string)))}},"answers":{{answers.ToJson()}}}""");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or System.Text.Json.JsonException)
        {
            throw new StepException($"The script of the model '{model.Name}' ('{model.Script}') cannot be read: {error.Message}", inner: error);
        }
    }

    public void Dispose()
    {
        foreach (var client in _clients.Values) client.Dispose();
    }

    /// <summary>Below the checkpoints: it sees the calls that are really made.</summary>
    sealed class Metered(IChatClient inner, ModelDefinition model, AgentProgress progress) : DelegatingChatClient(inner)
    {
        public override async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
        {
            var response = await InnerClient.GetResponseAsync(messages, options, cancellationToken);
            progress.Paid(model, response.Usage);
            return response;
        }

        public override async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            var usage = new UsageDetails();
            await foreach (var update in InnerClient.GetStreamingResponseAsync(messages, options, cancellationToken))
            {
                foreach (var part in update.Contents.OfType<UsageContent>()) usage.Add(part.Details);
                yield return update;
            }
            progress.Paid(model, usage);
        }
    }
}

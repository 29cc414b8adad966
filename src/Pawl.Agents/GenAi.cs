using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.AI;

namespace Pawl.Agents;

/// <summary>Spans and figures by OpenTelemetry's conventions for generative AI. Source and meter are named <c>Pawl.Agents</c>; nothing is measured while nobody listens.</summary>
static class GenAi
{
    static readonly ActivitySource s_source = new("Pawl.Agents");
    static readonly Meter s_meter = new("Pawl.Agents");
    static readonly Histogram<long> s_tokens = s_meter.CreateHistogram<long>("gen_ai.client.token.usage", "{token}", "Tokens of calls that were made, by kind; replayed answers are not among them");
    static readonly Histogram<double> s_duration = s_meter.CreateHistogram<double>("gen_ai.client.operation.duration", "s", "Duration of calls that were made");

    public static Span Chat(ChatClientMetadata? client, string? model) => new(client, model);

    public static Activity? Tool(string name, string? callId) => s_source.HasListeners()
        ? s_source.StartActivity($"execute_tool {name}")?.SetTag("gen_ai.operation.name", "execute_tool").SetTag("gen_ai.tool.name", name).SetTag("gen_ai.tool.call.id", callId) : null;

    public static Activity? Agent(string name, string? description) => s_source.HasListeners()
        ? s_source.StartActivity($"invoke_agent {name}")?.SetTag("gen_ai.operation.name", "invoke_agent").SetTag("gen_ai.agent.name", name).SetTag("gen_ai.agent.description", description) : null;

    /// <summary>One call of a model.</summary>
    public readonly struct Span(ChatClientMetadata? client, string? model) : IDisposable
    {
        readonly Activity? _activity = s_source.HasListeners()
            ? s_source.StartActivity(model is null ? "chat" : $"chat {model}", ActivityKind.Client)?.SetTag("gen_ai.operation.name", "chat")
                .SetTag("gen_ai.provider.name", client?.ProviderName).SetTag("gen_ai.request.model", model).SetTag("server.address", client?.ProviderUri?.Host) : null;

        public void Answered(ChatResponse response, TimeSpan took)
        {
            Describe(response);
            var tags = Tags(response.ModelId);
            s_duration.Record(took.TotalSeconds, tags);
            if (response.Usage?.InputTokenCount is { } input) s_tokens.Record(input, [.. tags, new("gen_ai.token.type", "input")]);
            if (response.Usage?.OutputTokenCount is { } output) s_tokens.Record(output, [.. tags, new("gen_ai.token.type", "output")]);
        }

        /// <summary>A recorded answer: nothing was asked, and nothing is counted.</summary>
        public void Replayed(ChatResponse response)
        {
            Describe(response);
            _activity?.SetTag("pawl.replayed", true);
        }

        public void Failed(Exception error, TimeSpan took)
        {
            _activity?.SetStatus(ActivityStatusCode.Error, error.Message).SetTag("error.type", error.GetType().FullName);
            s_duration.Record(took.TotalSeconds, [.. Tags(null), new("error.type", error.GetType().FullName)]);
        }

        void Describe(ChatResponse response) => _activity?.SetTag("gen_ai.response.model", response.ModelId).SetTag("gen_ai.response.id", response.ResponseId)
            .SetTag("gen_ai.response.finish_reasons", response.FinishReason is { } reason ? new[] { reason.Value } : null)
            .SetTag("gen_ai.usage.input_tokens", response.Usage?.InputTokenCount).SetTag("gen_ai.usage.output_tokens", response.Usage?.OutputTokenCount);

        KeyValuePair<string, object?>[] Tags(string? responseModel) =>
            [new("gen_ai.operation.name", "chat"), new("gen_ai.provider.name", client?.ProviderName), new("gen_ai.request.model", model), new("gen_ai.response.model", responseModel)];

        public void Dispose() => _activity?.Dispose();
    }
}

using System.Text.Json;

namespace Pawl.Agents;

/// <summary>A model's reply → a progress ledger, or what is wrong with it. Pure.</summary>
static class LedgerReader
{
    public static ProgressLedger? Read(string reply, IReadOnlyList<Agent>? agents, out string problem)
    {
        problem = "";
        // Models wrap JSON in fences and words.
        var (from, to) = (reply.IndexOf('{', StringComparison.Ordinal), reply.LastIndexOf('}'));
        if (from < 0 || to < from)
        {
            problem = "there is no JSON object in it";
            return null;
        }
        try
        {
            using var document = JsonDocument.Parse(reply.AsMemory(from, to - from + 1), new JsonDocumentOptions { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip, MaxDepth = 16 });
            var root = document.RootElement;
            var satisfied = Flag(root, "is_request_satisfied");
            // Who is done needs no next speaker.
            var speaker = satisfied.Answer ? Text(root, "next_speaker", required: false) : Speaker(Text(root, "next_speaker", required: true), agents);
            return new ProgressLedger(satisfied, Flag(root, "is_in_loop"), Flag(root, "is_progress_being_made"), speaker, Text(root, "instruction_or_question", required: !satisfied.Answer));
        }
        catch (Exception error) when (error is JsonException or FormatException)
        {
            problem = error.Message;
            return null;
        }
    }

    static LedgerItem<bool> Flag(JsonElement root, string key)
    {
        var (answer, reason) = Item(root, key);
        return answer.ValueKind switch
        {
            JsonValueKind.True => new(true, reason),
            JsonValueKind.False => new(false, reason),
            JsonValueKind.String when bool.TryParse(answer.GetString(), out var flag) => new(flag, reason),
            _ => throw new FormatException($"the answer of '{key}' must be true or false"),
        };
    }

    static LedgerItem<string> Text(JsonElement root, string key, bool required)
    {
        if (!required && !root.TryGetProperty(key, out _)) return new("", "");
        var (answer, reason) = Item(root, key);
        if (answer.ValueKind == JsonValueKind.String && (!required || !string.IsNullOrWhiteSpace(answer.GetString()))) return new(answer.GetString()!, reason);
        return required ? throw new FormatException($"the answer of '{key}' must be a text") : new("", reason);
    }

    static LedgerItem<string> Speaker(LedgerItem<string> said, IReadOnlyList<Agent>? agents)
    {
        // A finished round is read again: its team may have been another.
        if (agents is null) return said;
        var agent = agents.FirstOrDefault(agent => string.Equals(agent.Name, said.Answer.Trim(), StringComparison.OrdinalIgnoreCase))
            ?? throw new FormatException($"the answer of 'next_speaker' must be one of: {string.Join(", ", agents.Select(agent => agent.Name))}");
        return said with { Answer = agent.Name };
    }

    static (JsonElement Answer, string Reason) Item(JsonElement root, string key)
    {
        if (!root.TryGetProperty(key, out var item)) throw new FormatException($"'{key}' is missing");
        if (item.ValueKind != JsonValueKind.Object) return (item, "");
        if (!item.TryGetProperty("answer", out var answer)) throw new FormatException($"'{key}' has no 'answer'");
        return (answer, item.TryGetProperty("reason", out var reason) && reason.ValueKind == JsonValueKind.String ? reason.GetString()! : "");
    }
}

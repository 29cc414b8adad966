using System.Text.Json;
using Pawl.Engine;
using Pawl.Planning;

namespace Pawl;

/// <summary>A part of the graph. A run keeps to it through every resume, until one asks for another part, or until the part is done.</summary>
public sealed record StepSelection
{
    const string Member = "select";

    /// <summary>Starts at this step; steps before it are not run and their recorded outputs are used.</summary>
    public string? From { get; init; }

    /// <summary>Ends with this step.</summary>
    public string? Until { get; init; }

    /// <summary>Runs these steps only, as if what they need were done.</summary>
    public IReadOnlyList<string>? Only { get; init; }

    /// <summary>What is left when its end is reached: an end is one for now, and what it begins behind is left out for good.</summary>
    internal StepSelection Behind => new() { From = From };

    internal bool IsAll => From is null && Until is null && Only is null;

    /// <summary>Why a step is no part of it.</summary>
    internal string Words => Only is { } only ? $"only {string.Join(", ", only.Select(id => $"'{id}'"))} was asked for"
        : $"only the part {string.Join(' ', new[] { From is null ? null : $"from '{From}' on", Until is null ? null : $"up to '{Until}'" }.OfType<string>())} was asked for";

    /// <summary>The ids of the steps that it runs.</summary>
    /// <param name="workflow">The definition.</param>
    /// <param name="journal">Where approvals may have been decided; null is nowhere.</param>
    /// <exception cref="InvalidDefinitionException">It names a step that does not exist, or leaves out an approval before one that it runs.</exception>
    internal HashSet<string> In(Workflow workflow, Journal? journal = null)
    {
        var chosen = Chosen(workflow);
        foreach (var id in chosen)
            if (workflow.Steps.FirstOrDefault(step => !chosen.Contains(step.Id) && Asks(step) && journal?.Find(step.Id) is not { IsDone: true, AfterFailure: false } && ResumePlanner.Ancestors(workflow.Steps, id).Contains(step.Id)) is { } asks)
                throw new InvalidDefinitionException($"To run '{id}' without '{asks.Id}' would go around an approval. Run '{asks.Id}' too.");
        return chosen;

        static bool Asks(Step step) => step.Kind == "approval" || step.Children.Any(Asks);
    }

    internal HashSet<string> Chosen(Workflow workflow)
    {
        var all = workflow.Steps.Select(step => step.Id).ToHashSet();
        foreach (var name in (Only ?? []).Append(From).Append(Until).OfType<string>())
            if (!all.Contains(name)) throw new InvalidDefinitionException($"There is no step '{RunIds.Printable(name)}' in '{workflow.Name}'.{Nearest.Hint(name, all)}");
        if (Only is { } only) return [.. only];
        if (From is { } from) all.IntersectWith(ResumePlanner.Descendants(workflow, from));
        if (Until is { } until) all.IntersectWith([.. ResumePlanner.Ancestors(workflow.Steps, until), until]);
        return all;
    }

    /// <summary>Into a record that begins a run or a pass; without a member it is all.</summary>
    internal void Write(Utf8JsonWriter w)
    {
        w.WriteStartObject(Member);
        if (From is not null) w.WriteString("from", From);
        if (Until is not null) w.WriteString("until", Until);
        PassRecords.List(w, "only", Only ?? []);
        w.WriteEndObject();
    }

    /// <summary>What the start or a resume of a run asked for last; null is all.</summary>
    internal static StepSelection? Kept(Journal journal)
    {
        StepSelection? kept = null;
        Read(journal.CreatedData!.RootElement);
        foreach (var pass in journal.Passes.Where(pass => !pass.Data.IsEmpty))
        {
            using var data = JsonDocument.Parse(pass.Data);
            Read(data.RootElement);
        }
        return kept;

        void Read(JsonElement data)
        {
            if (!data.TryGetProperty(Member, out var told)) return;
            var part = new StepSelection { From = Text("from"), Until = Text("until"), Only = told.TryGetProperty("only", out var only) ? [.. only.EnumerateArray().Select(id => id.GetString()!)] : null };
            kept = part.IsAll ? null : part;

            string? Text(string name) => told.TryGetProperty(name, out var value) ? value.GetString() : null;
        }
    }
}

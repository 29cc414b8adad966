using System.Text;
using System.Text.Json.Nodes;
using Pawl.Engine;
using Pawl.Storage;

namespace Pawl.Planning;

/// <summary>What the migrations of a workflow make of a run: pure, from definition and journal.</summary>
sealed record Migrated(int From, int To, IReadOnlyDictionary<string, string> Map, IReadOnlyDictionary<string, RawJson> Outputs, ReadOnlyMemory<byte> State)
{
    public string Reason => $"migrated from version {From} to {To}";

    /// <summary>Null when nothing is to be migrated; what stands in the way is added to the refusals.</summary>
    public static Migrated? Of(Workflow workflow, Journal journal, List<Refusal> refusals)
    {
        var from = journal.Head.Version;
        if (workflow.Migrations.Count == 0 || from >= workflow.Version) return null;
        var change = new RunMigration(path => journal.Find(path) is { IsDone: true, HasOutput: true } entry ? new RawJson(journal.Output(entry)) : null, journal.State);
        for (var at = from; at < workflow.Version;)
        {
            if (workflow.Migrations.FirstOrDefault(migration => migration.From == at) is not { } next)
            {
                refusals.Add(new(RefusalReason.Incompatible, $"The run is of version {from} and the workflow of version {workflow.Version}, and no migration leads on from version {at}.", $"Add a migration from {at} (to {at + 1}), or resume with a definition of version {from}."));
                return null;
            }
            try { next.Change(change); }
            catch (Exception error)
            {
                refusals.Add(new(RefusalReason.Incompatible, $"The migration from version {next.From} to {next.To} failed: {error.Message}", "Mend it; the run is as it was."));
                return null;
            }
            at = next.To;
        }
        return new Migrated(from, workflow.Version, change.Map, change.Outputs,
            change.Changes.Count == 0 ? default : Encoding.UTF8.GetBytes(new JsonObject(change.Changes.Select(pair => KeyValuePair.Create(pair.Key, pair.Value?.DeepClone()))).ToJsonString()));
    }

    /// <summary>The records of new outputs, which follow the beginning of the pass in one commit. The steps bear their present names there.</summary>
    public IEnumerable<Checkpoint> Records(Journal journal, IReadOnlyDictionary<string, string> map, DateTimeOffset now) => Outputs.Select(pair =>
    {
        // No attempt was made for it: its number is the old one, and what it took was counted then.
        var old = journal.Find(map.GetValueOrDefault(pair.Key, pair.Key))!;
        return new Checkpoint
        {
            Kind = CheckpointKind.Step, At = now, Path = pair.Key, Status = StepStatus.Completed, Reason = Reason, Output = pair.Value.Utf8,
            Attempt = old.Attempt, Duration = old.Duration, Metrics = old.Metrics,
        };
    });
}

using Pawl.Engine;
using Pawl.Planning;
using Pawl.Storage;

namespace Pawl;

// Time travel: a new run from any checkpoint of any run.
public sealed partial class PawlClient
{
    /// <summary>Makes a new run from a checkpoint of another, finished or not. The parent is read and never touched; the fork has all it needs of it, so
    /// that the parent may go. It is paused: <see cref="ResumeAsync"/> goes on with it, on whatever definition is given there.</summary>
    /// <param name="runId">The parent.</param>
    /// <param name="fork">Where, and what is different; null is a copy as of the newest checkpoint.</param>
    /// <param name="cancellationToken">Stops before anything is written.</param>
    /// <returns>The fork's head.</returns>
    /// <remarks>Its history is one commit, held in memory whole, payloads included. A crash before that commit leaves a run that every resume refuses.</remarks>
    /// <exception cref="RunNotFoundException">No such run.</exception>
    /// <exception cref="RunExistsException">The fork's id is taken.</exception>
    /// <exception cref="ArgumentException">There is no such checkpoint or step.</exception>
    public Task<RunHead> ForkAsync(string runId, ForkOptions? fork = null, CancellationToken cancellationToken = default) => ForkIntoAsync(this, runId, fork ?? new ForkOptions(), cancellationToken);

    /// <summary>What a fork would reuse and run. Nothing is written.</summary>
    /// <inheritdoc cref="ForkAsync"/>
    public async Task<ResumePlan> PlanForkAsync(Workflow workflow, string runId, ForkOptions? fork = null, ResumeOptions? resume = null, CancellationToken cancellationToken = default)
    {
        // The fork itself, in a store that goes with this call: the plan is that of the real one.
        await using var draft = new PawlClient(new MemoryStore(Time), new PawlOptions { Time = Time, Json = Options.Json });
        var head = await ForkIntoAsync(draft, runId, fork ?? new ForkOptions(), cancellationToken);
        return await draft.PlanAsync(workflow, head.RunId, resume, cancellationToken);
    }

    /// <summary>The number of the last checkpoint that a fork would have.</summary>
    /// <inheritdoc cref="ForkAsync"/>
    public async Task<long> ForkPointAsync(string runId, ForkOptions fork, CancellationToken cancellationToken = default) => ForkPlanner.Seq(await HistoryAsync(runId, cancellationToken), fork);

    async Task<RunHead> ForkIntoAsync(PawlClient target, string runId, ForkOptions fork, CancellationToken cancellationToken)
    {
        var parent = await HistoryAsync(runId, cancellationToken);
        // Read as a resume reads it: a damaged journal is refused.
        var at = await Journal.LoadAsync(Store, _commits, runId, cancellationToken, ForkPlanner.Seq(parent, fork), read: parent);
        using var createdData = at.CreatedData;
        var values = new ForkValues(Encode(fork.Params), Encode(fork.Outputs), fork.State is { Count: > 0 } state ? PawlJson.Encode(state, Options.Json).Utf8 : default);
        for (var taken = 0; ; taken++)
        {
            var id = RunIds.Check(fork.RunId ?? _names.Next(at.Head.Workflow, Time.GetUtcNow(), taken));
            if (fork.RunId is null && await target.Store.FindAsync(id, cancellationToken) is not null) continue;
            var (records, created, head) = Chain(ForkPlanner.Plan(id, parent, at, fork, values, Time.GetUtcNow()));
            var payloads = ReferenceEquals(target, this) ? await PayloadsAsync(runId, records, cancellationToken) : [];
            var result = await target.Store.CreateAsync(records[0], created, target.Owner(), cancellationToken);
            if (result.Lease is not { } lease)
            {
                if (fork.RunId is null) continue;
                throw new RunExistsException(id);
            }
            try
            {
                // All of its history is durable at this line, or none of it.
                await target._commits.CommitAsync(new Commit(lease, records[1..], payloads, head));
                return head;
            }
            finally { await target.ReleaseAsync(lease); }
        }
    }

    static (Checkpoint[] Records, RunHead Created, RunHead Head) Chain(List<Checkpoint> drafts)
    {
        var records = new Checkpoint[drafts.Count];
        RunHead? created = null, head = null;
        for (var i = 0; i < records.Length; i++)
        {
            var (draft, more, hash) = (drafts[i], i > 0 && i < records.Length - 1, head?.Hash ?? "");
            // What stays as it is in the parent keeps its bytes.
            records[i] = draft.Line.IsEmpty ? CheckpointCodec.Encode(draft, i + 1, more, hash) : CheckpointCodec.Rechain(draft, more, hash);
            head = RunHead.After(head, records[i]);
            created ??= head;
        }
        return (records, created!, head!);
    }

    /// <summary>What the records refer to: outputs, and logs and other attachments named by hash.</summary>
    async Task<List<Payload>> PayloadsAsync(string runId, Checkpoint[] records, CancellationToken cancellationToken)
    {
        var found = new Dictionary<string, Payload>();
        foreach (var named in records.SelectMany(PassRecords.Named))
        {
            if (found.ContainsKey(named.Sha256)) continue;
            try { found[named.Sha256] = new Payload(named, await Store.ReadPayloadAsync(runId, named, cancellationToken)); }
            catch (JournalCorruptException) when (records.All(record => record.OutputRef != named))
            {
                // A log that the parent lacks is no reason to do without the fork.
            }
        }
        return [.. found.Values];
    }
}

using System.Collections.Concurrent;
using Pawl.Storage;

namespace Pawl.Postgres;

/// <summary>What a store knows of the runs that it writes: the run's key, and the last record that the database acknowledged. Any thread.</summary>
/// <remarks>An acknowledged record stays as long as its run does, so a step that follows one needs no look at it. Whether the token is still the run's only the database knows, and whether
/// another has written that number: its answer decides. A server that lost its connections may be another, which has less: then all of this is forgotten.</remarks>
sealed class PostgresKnown
{
    readonly ConcurrentDictionary<string, Place> _places = [];

    readonly record struct Place(long Run, long Token, long Seq);

    /// <summary>Whether the commit is a step behind a record that is known to be durable, and then its run's key.</summary>
    public bool Follows(in Commit commit, out long run)
    {
        run = 0;
        if (!PostgresHead.IsStep(commit) || !_places.TryGetValue(commit.Lease.RunId, out var place)) return false;
        run = place.Run;
        return place.Token == commit.Lease.Token && place.Seq == commit.Records[0].Seq - 1;
    }

    /// <summary>The database acknowledged it.</summary>
    public void Written(in Commit commit, long run)
    {
        if (commit.Release) Forget(commit.Lease.RunId);
        else if (commit.Records.Count > 0) _places[commit.Lease.RunId] = new Place(run, commit.Lease.Token, commit.Records[^1].Seq);
    }

    public void Forget(string runId) => _places.TryRemove(runId, out _);
}

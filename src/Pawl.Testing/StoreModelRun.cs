using System.Security.Cryptography;
using Pawl.Storage;

namespace Pawl.Testing;

/// <summary>A lease as the model and as the store gave it: tokens need not be equal, only in the same order.</summary>
readonly record struct LeasePair(RunLease Model, RunLease Store);

/// <summary>A commit for both; only its lease differs.</summary>
readonly record struct CommitPair(LeasePair Lease, Commit Commit, string What)
{
    public Commit For(RunLease lease) => Commit with { Lease = lease };
}

/// <summary>A run of a random history: what was written, and who was given leases.</summary>
sealed class StoreModelRun(string name, string id, Checkpoint created)
{
    readonly List<LeasePair> _leases = [];
    RunHead? _before;
    CommitPair? _last;

    public string Name { get; } = name;
    public string Id { get; } = id;
    public RunHead Head { get; private set; } = RunHead.After(null, created);
    public List<Payload> Payloads { get; } = [];

    public void Leased(RunLease model, RunLease store)
    {
        Expect.Holds(_leases.Count == 0 || store.Token > _leases[^1].Store.Token, $"the token {store.Token} of {Name} followed {(_leases.Count > 0 ? _leases[^1].Store.Token : 0)}");
        _leases.Add(new LeasePair(model, store));
    }

    /// <summary>Mostly the newest lease; also one that was lost, or that nobody was given.</summary>
    public LeasePair Lease(Random random)
    {
        if (_leases.Count == 0 || random.Next(20) == 0) return new LeasePair(new RunLease(Id, 1_000_000_000), new RunLease(Id, 1_000_000_000));
        return random.Next(6) == 0 ? _leases[random.Next(_leases.Count)] : _leases[^1];
    }

    public void Accept(CommitPair pair)
    {
        if (pair.Commit.Head is not { } head || head.Seq <= Head.Seq) return;
        (_before, Head, _last) = (Head, head, pair);
    }

    /// <summary>A commit that may follow, or one of those that must not.</summary>
    public CommitPair Commit(Random random)
    {
        var lease = Lease(random);
        switch (random.Next(12))
        {
            case 0 or 1 when _last is { } last:
                return last with { What = $"{last.What}, sent again" };
            case 2 when _before is { Status: RunStatus.Running } before:
                return Pair(lease, before, "a rival of the last record", random, Step(before, "rival"));
            case 3 when Head.Status == RunStatus.Running:
                var first = Step(Head, "missing");
                return Pair(lease, RunHead.After(Head, first), "a record behind a gap", random, Step(RunHead.After(Head, first), "late"));
            case 4:
                return new CommitPair(lease, new Commit(lease.Store, [], [], null, Release: true), "only a release");
            default:
                return Next(lease, random);
        }
    }

    CommitPair Next(LeasePair lease, Random random)
    {
        if (Head.Status is RunStatus.Completed or RunStatus.Canceled) return new CommitPair(lease, new Commit(lease.Store, [], [], null, Release: true), "only a release");
        // A claim may follow a pass that never said how it ended.
        if (Head.Status != RunStatus.Running || random.Next(10) == 0) return Pair(lease, Head, "resumed", random, LawRun.Line(Head, "resumed", $"\"token\":{lease.Store.Token}"));
        if (random.Next(5) > 1) return Steps(lease, random);
        var kind = random.Next(6) switch { 0 => "completed", 1 => "paused", 2 => "canceled", 3 => "failed", _ => "waiting" };
        var time = random.Next(3) switch { 0 => "2026-01-10T12:00:00Z", 1 => "2200-01-01T00:00:00Z", _ => null };
        var members = kind switch
        {
            "waiting" => "\"data\":" + $$"""{"waits":[{"path":"w","signal":"go"{{(time is null ? "" : $",\"due\":\"{time}\"")}}}],"seen":{{random.Next(3)}}}""",
            "failed" => "\"path\":\"s\"" + (time is null ? "" : ",\"data\":" + $$"""{"resume_at":"{{time}}"}"""),
            _ => "\"reason\":\"model\"",
        };
        return Pair(lease, Head, $"{kind} {time}", random, LawRun.Line(Head, kind, members));
    }

    CommitPair Steps(LeasePair lease, Random random)
    {
        var (head, records) = (Head, new Checkpoint[random.Next(1, 4)]);
        for (var i = 0; i < records.Length; i++)
        {
            records[i] = Step(head, $"s{head.Seq}", i < records.Length - 1);
            head = RunHead.After(head, records[i]);
        }
        var pair = Pair(lease, Head, $"{records.Length} steps", random, records);
        if (random.Next(4) > 0) return pair;
        var content = new byte[random.Next(3) * 3000];
        random.NextBytes(content);
        var payload = new Payload(new PayloadRef(Convert.ToHexStringLower(SHA256.HashData(content)), content.Length), content);
        Payloads.Add(payload);
        return pair with { Commit = pair.Commit with { Payloads = [payload] }, What = $"{pair.What} with a payload" };
    }

    static CommitPair Pair(LeasePair lease, RunHead behind, string what, Random random, params Checkpoint[] records)
    {
        // A pass that ends gives its lease back, mostly.
        var release = records[^1].Kind is CheckpointKind.Step or CheckpointKind.Resumed ? random.Next(6) == 0 : random.Next(6) > 0;
        return new CommitPair(lease, new Commit(lease.Store, records, [], records.Aggregate(behind, RunHead.After), release), release ? $"{what}, released" : what);
    }

    static Checkpoint Step(RunHead behind, string path, bool more = false) =>
        LawRun.Line(behind, "step", $"\"path\":\"{path}\",\"status\":\"completed\",\"attempt\":1,\"output\":{behind.Seq}{(more ? ",\"more\":true" : "")}");
}

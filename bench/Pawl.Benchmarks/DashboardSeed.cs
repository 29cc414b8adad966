using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Pawl.Engine;
using Pawl.Storage;

namespace Pawl.Benchmarks;

/// <summary>A store full of runs, and one run of 10,000 steps, written through the store's contract: what the engine would have left.</summary>
static class DashboardSeed
{
    public const int Runs = 100_000;
    public const string Big = "big", Live = "live";
    const int Together = 1_000;

    static readonly RunOwner s_owner = new(1, "seed", DateTimeOffset.UnixEpoch);
    static readonly Workflow[] s_workflows = [.. Enumerable.Range(0, 12).Select(number => Steps($"workflow{number:D2}", 3))];

    static Workflow Steps(string name, int count)
    {
        var builder = Workflow.Create(name);
        for (var i = 0; i < count; i++) builder.Step($"step{i}", _ => 1);
        return builder.Build();
    }

    /// <summary>Twelve workflows, every state, tags that many and that few runs have; a run every 25 seconds, the last one now.</summary>
    public static async Task FillAsync(ICheckpointStore store, DateTimeOffset now)
    {
        for (var begin = 0; begin < Runs; begin += Together)
        {
            var writers = Enumerable.Range(begin, Together).Select(number => Run(number, now)).ToList();
            await Parallel.ForEachAsync(writers, new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (run, _) => await run.Writer.CreateAsync(store, run.Records.Count > 0));
            foreach (var result in await store.CommitAsync([.. writers.Where(run => run.Records.Count > 0).Select(run => run.Writer.Commit(run.Records) with { Release = true })], default))
                if (result != CommitResult.Committed) throw new InvalidOperationException($"a commit was answered with {result}");
        }
    }

    static (RunWriter Writer, List<Checkpoint> Records) Run(int number, DateTimeOffset now)
    {
        var at = now.AddSeconds(-25.0 * (Runs - number));
        var workflow = s_workflows[number % s_workflows.Length];
        var tags = new Dictionary<string, string> { ["team"] = number % 3 == 0 ? "docs" : "data", ["shard"] = (number % 1000).ToString(CultureInfo.InvariantCulture) };
        var writer = new RunWriter(string.Create(CultureInfo.InvariantCulture, $"{workflow.Name}_{at:yyyyMMdd_HHmmss}_{number:x5}"), workflow, at, tags);
        var end = (number * 7919 % 1000) switch { < 900 => "completed", < 950 => "failed", < 970 => "canceled", < 980 => "paused", < 990 => "waiting", < 995 => "pending", _ => "died" };
        if (end == "pending") return (writer, []);
        List<Checkpoint> records = [new() { Kind = CheckpointKind.Resumed, At = at, Token = 1 }];
        for (var i = 0; i < (end is "completed" ? 3 : 2); i++) records.Add(Step($"step{i}", at.AddSeconds(i + 1), "1"));
        var last = at.AddSeconds(4);
        if (end == "failed") records.Add(Failed("step2", last));
        if (end == "waiting")
            records.Add(new() { Kind = CheckpointKind.Waiting, At = last, Data = Encoding.UTF8.GetBytes($$"""{"waits":[{"path":"step2/approval","signal":"approval","message":"Publish number {{number}}?"}],"seen":0}""") });
        else if (end != "died")
            records.Add(new() { Kind = end == "failed" ? CheckpointKind.Failed : Enum.Parse<CheckpointKind>(end, ignoreCase: true), At = last, Path = end == "failed" ? "step2" : null, Reason = end, Error = end == "failed" ? s_error : null });
        return (writer, records);
    }

    static readonly StepError s_error = new("InvalidOperationException", "The service answered 503 three times; the last answer was: overloaded, come back later.", ErrorClass.Transient);

    static Checkpoint Step(string path, DateTimeOffset at, string output) =>
        new() { Kind = CheckpointKind.Step, Path = path, Status = StepStatus.Completed, Attempt = 1, At = at, Duration = TimeSpan.FromMilliseconds(120 + path.Length * 13 % 900), Output = Encoding.UTF8.GetBytes(output) };

    static Checkpoint Failed(string path, DateTimeOffset at, bool tolerated = false) =>
        new() { Kind = CheckpointKind.Step, Path = path, Status = StepStatus.Failed, Attempt = 1, At = at, Duration = TimeSpan.FromMilliseconds(640), Error = s_error, Tolerated = tolerated };

    /// <summary>10,000 steps: a fan-out of 2,000 items with a step below each, 3,000 steps side by side, a chain of 2,000, a step with 1,000 below; failures, attempts and logs among them.</summary>
    public static async Task<RunWriter> BigAsync(ICheckpointStore store, DateTimeOffset now, string runId = Big)
    {
        const int items = 2_000, shards = 3_000, links = 2_000, epochs = 100;
        var builder = Workflow.Create("big");
        builder.Step("begin", _ => 1);
        builder.ForEach("files", _ => Enumerable.Range(0, items), item => $"file{item:D4}", (_, item) => Task.FromResult(item), step => step.Needs("begin"));
        for (var i = 0; i < shards; i++) builder.Step($"shard{i:D4}", _ => 1, step => step.Needs("files"));
        builder.Step("merge", _ => 1, step => step.Needs([.. Enumerable.Range(0, shards).Select(i => $"shard{i:D4}")]));
        for (var i = 0; i < links; i++) builder.Step($"load{i:D4}", _ => 1, step => step.Needs(i == 0 ? "merge" : $"load{i - 1:D4}"));
        builder.Step("train", _ => 1, step => step.Needs("merge"));
        builder.Step("report", _ => 1, step => step.Needs("train", $"load{links - 1:D4}"));
        var writer = new RunWriter(runId, builder.Build(), now.AddHours(-2), new Dictionary<string, string> { ["team"] = "docs", ["size"] = "big" });
        await writer.CreateAsync(store, claim: true);
        var clock = now.AddHours(-2);
        var payloads = new List<Payload>();
        List<Checkpoint> records = [new() { Kind = CheckpointKind.Resumed, At = clock, Token = 1 }, Step("begin", Next(), "1")];
        for (var i = 0; i < items; i++)
        {
            if (i % 100 == 50) records.Add(Failed($"files[file{i:D4}]/parse", Next()));
            records.Add(Logged($"files[file{i:D4}]/parse", i));
            records.Add(i % 50 == 7 ? Failed($"files[file{i:D4}]", Next(), tolerated: true) : Step($"files[file{i:D4}]", Next(), $$"""{"rows":{{i * 17}},"name":"file{{i}}"}"""));
        }
        records.Add(Step("files", Next(), $"[{string.Join(',', Enumerable.Range(0, items))}]"));
        for (var i = 0; i < shards; i++) records.Add(Step($"shard{i:D4}", Next(), $$"""{"shard":{{i}}}"""));
        records.Add(Step("merge", Next(), "1"));
        for (var i = 0; i < links; i++) records.Add(Step($"load{i:D4}", Next(), "1"));
        for (var epoch = 0; epoch < epochs; epoch++)
        {
            for (var batch = 0; batch < 9; batch++) records.Add(Step($"train/epoch/{epoch}/batch/{batch}", Next(), "0.25"));
            records.Add(Step($"train/epoch/{epoch}", Next(), """{"loss":0.25}"""));
        }
        records.Add(Step("train", Next(), "1"));
        if (runId == Big)
        {
            records.Add(Failed("report", Next()));
            records.Add(new() { Kind = CheckpointKind.Failed, Path = "report", At = Next(), Error = s_error });
        }
        foreach (var chunk in records.Chunk(500))
            if (await store.CommitAsync(writer.Commit([.. chunk]) with { Payloads = [.. payloads.DistinctBy(payload => payload.Ref.Sha256)], Release = runId == Big && chunk[^1] == records[^1] }, default) != CommitResult.Committed)
                throw new InvalidOperationException("a commit was refused");
        return writer;

        DateTimeOffset Next() => clock = clock.AddMilliseconds(400);

        Checkpoint Logged(string path, int number)
        {
            if (number % 20 != 0) return Step(path, Next(), "1");
            var content = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 50).Select(line => $"{path}: line {line} of what the shell wrote\n")));
            var payload = new Payload(new PayloadRef(Convert.ToHexStringLower(SHA256.HashData(content)), content.Length), content);
            payloads.Add(payload);
            return Step(path, Next(), "1") with { Data = Encoding.UTF8.GetBytes($$$"""{"exit_code":0,"log":{"sha256":"{{{payload.Ref.Sha256}}}","bytes":{{{payload.Ref.Bytes}}}}}""") };
        }
    }

    /// <summary>The next step of a run that is under way.</summary>
    public static async Task AppendAsync(ICheckpointStore store, RunWriter run, string path)
    {
        if (await store.CommitAsync(run.Commit([Step(path, DateTimeOffset.UtcNow, "1")]), default) != CommitResult.Committed) throw new InvalidOperationException("a commit was refused");
    }

    /// <summary>One run: its head, its lease, and the chain of its records.</summary>
    public sealed class RunWriter(string runId, Workflow workflow, DateTimeOffset at, Dictionary<string, string> tags)
    {
        RunHead? _head;
        RunLease? _lease;

        public async Task CreateAsync(ICheckpointStore store, bool claim)
        {
            var draft = PassRecords.Created(runId, workflow, new Dictionary<string, RawJson>(), new StartOptions { RunId = runId, Tags = tags }, TimeProvider.System) with { At = at };
            var created = CheckpointCodec.Encode(draft, 1, more: false, "");
            _head = RunHead.After(null, created);
            _lease = (await store.CreateAsync(created, _head, claim ? s_owner : null, default)).Lease;
        }

        public Commit Commit(IReadOnlyList<Checkpoint> drafts)
        {
            var records = new List<Checkpoint>();
            for (var i = 0; i < drafts.Count; i++)
            {
                records.Add(CheckpointCodec.Encode(drafts[i], _head!.Seq + 1, more: i < drafts.Count - 1, _head.Hash));
                _head = RunHead.After(_head, records[^1]);
            }
            return new Commit(_lease!, records, [], _head);
        }
    }
}

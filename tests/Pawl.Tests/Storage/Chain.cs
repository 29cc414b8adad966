using System.Text;
using Pawl.Storage;

namespace Pawl.Tests.Storage;

/// <summary>Makes the records of a run as the engine would, and remembers them.</summary>
sealed class Chain
{
    public static readonly DateTimeOffset Start = new(2025, 12, 18, 12, 15, 30, TimeSpan.Zero);
    public static readonly RunOwner Me = new(Environment.ProcessId, "workstation", Start, "tests");

    DateTimeOffset _now = Start;

    public Chain(string runId, string steps = """[{"id":"load","kind":"code"},{"id":"clean","kind":"code"},{"id":"save","kind":"code"}]""", string more = "")
    {
        RunId = runId;
        Add(new Checkpoint { Kind = CheckpointKind.Created, Data = Json($$"""{"format":1,"run_id":"{{runId}}","workflow":"etl","version":1,"steps":{{steps}},"fingerprint":"f"{{more}}}""") });
    }

    public string RunId { get; }
    public List<Checkpoint> Records { get; } = [];
    public RunHead Head { get; private set; } = null!;
    public Checkpoint Created => Records[0];

    public static byte[] Json(string text) => Encoding.UTF8.GetBytes(text);

    public Checkpoint Add(Checkpoint draft, int seconds = 1)
    {
        var record = CheckpointCodec.Encode(draft with { At = _now }, Records.Count + 1, draft.More, Head?.Hash ?? "");
        _now += TimeSpan.FromSeconds(seconds);
        Head = RunHead.After(Head, record);
        Records.Add(record);
        return record;
    }

    public static Checkpoint Resumed(long token) => new() { Kind = CheckpointKind.Resumed, Token = token, Data = Json("{}") };

    public static Checkpoint Step(string path, string output = """{"rows":3}""") => new()
    {
        Kind = CheckpointKind.Step, Path = path, Status = StepStatus.Completed, Attempt = 1, Duration = TimeSpan.FromSeconds(72), Output = Json(output),
    };

    /// <summary>Adds the drafts as one commit.</summary>
    public Commit Commit(RunLease lease, params Checkpoint[] drafts) => Commit(lease, [], drafts);

    public Commit Commit(RunLease lease, Payload[] payloads, params Checkpoint[] drafts)
    {
        var records = drafts.Select((draft, i) => Add(draft with { More = i < drafts.Length - 1 })).ToList();
        return new Commit(lease, records, payloads, Head);
    }
}

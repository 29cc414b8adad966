using System.Reflection;
using System.Text.Json;
using Pawl.Storage;

namespace Pawl.Engine;

/// <summary>The records that begin a run and a pass, as drafts. Their <c>data</c> is documented in docs/journal.md.</summary>
static class PassRecords
{
    static readonly string s_version = typeof(PassRecords).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    public static Checkpoint Created(string runId, Workflow workflow, IReadOnlyDictionary<string, RawJson> given, StartOptions start, TimeProvider time, EnqueueOptions? queue = null) => new()
    {
        Kind = CheckpointKind.Created,
        At = time.GetUtcNow(),
        Data = Write(w =>
        {
            w.WriteNumber("format", CheckpointCodec.Format);
            w.WriteString("run_id", runId);
            w.WriteString("workflow", workflow.Name);
            w.WriteNumber("version", workflow.Version);
            w.WriteString("engine", s_version);
            w.WriteString("strategy", JsonNamingPolicy.SnakeCaseLower.ConvertName(workflow.Options.Strategy.ToString()));
            w.WriteString("durability", JsonNamingPolicy.SnakeCaseLower.ConvertName(workflow.Options.Durability.ToString()));
            Definition(w, workflow);
            // A worker runs it in its own folder.
            if (queue is null && workflow.Source?.Folder is { } folder) w.WriteString("folder", folder);
            start.Select?.Write(w);
            Values(w, "params", ParamBinder.Without(Secrets(workflow), given));
            List(w, "secrets", Secrets(workflow));
            Words(w, "partition", start.Partition);
            Words(w, "tags", start.Tags);
            Words(w, "environment", start.Environment);
            if (queue is not null)
            {
                w.WriteString("queue", queue.Queue);
                if (queue.Priority != 0) w.WriteNumber("priority", queue.Priority);
                if (queue.Delay > TimeSpan.Zero) w.WriteString("not_before", (time.GetUtcNow() + queue.Delay).UtcDateTime);
            }
            start.Budget?.Write(w);
            if (start.By is not null) w.WriteString("by", start.By);
            if (start.ParentRunId is { } parent) w.WriteString("parent", parent);
            if (start.ProjectPath is { } project) w.WriteString("project_path", project);
            if (start.Mode is { Count: > 0 } mode)
            {
                w.WriteStartObject("mode");
                foreach (var (name, on) in mode) w.WriteBoolean(name, on);
                w.WriteEndObject();
            }
            w.WriteStartObject("host");
            w.WriteString("user", Environment.UserName);
            w.WriteString("hostname", Environment.MachineName);
            w.WriteNumber("pid", Environment.ProcessId);
            w.WriteEndObject();
        }),
    };

    /// <summary>The beginning of a pass. <paramref name="plan"/> is null for the first, <paramref name="folder"/> unless it is another one than before.</summary>
    public static Checkpoint Resumed(Workflow workflow, ResumePlan? plan, ResumeOptions? resume, IReadOnlyDictionary<string, RawJson>? overrides, string? storedFingerprint, long token, TimeProvider time, int autoResumes = 0, string? folder = null) => new()
    {
        Kind = CheckpointKind.Resumed,
        At = time.GetUtcNow(),
        Token = token,
        Reason = plan is null ? null : "resumed",
        State = plan?.Migrated?.State ?? default,
        Data = Write(w =>
        {
            if (plan is null) return;
            // What gets another output counts when its record does, which follows.
            w.WriteNumber("done", plan.Steps.Count(step => step.Decision == StepDecision.Reuse && plan.Migrated?.Outputs.ContainsKey(step.Path) != true));
            List(w, "rerun", plan.Steps.Where(step => step.Decision == StepDecision.Rerun).Select(step => step.Path).Union(plan.AskedAgain));
            List(w, "jumped", plan.Steps.Where(step => step.Decision == StepDecision.Skip).Select(step => step.Path));
            Words(w, "map", plan.Map);
            if (plan.IsNewPart) (plan.Select ?? new StepSelection()).Write(w);
            if (folder is not null) w.WriteString("folder", folder);
            Words(w, "environment", resume!.Environment);
            if (overrides is { Count: > 0 }) Values(w, "params", ParamBinder.Without(Secrets(workflow), overrides));
            List(w, "secrets", Secrets(workflow));
            if (resume.By is not null) w.WriteString("by", resume.By);
            if (resume.Force) w.WriteBoolean("forced", true);
            Planning.AutoResume.Write(w, autoResumes);
            resume.Budget?.Write(w);
            if (workflow.Fingerprint != storedFingerprint)
            {
                w.WriteNumber("version", workflow.Version);
                Definition(w, workflow);
            }
            w.WriteNumber("pid", Environment.ProcessId);
            w.WriteString("hostname", Environment.MachineName);
        }),
    };

    /// <summary>Who asked for what a record tells; empty when that is not known.</summary>
    public static ReadOnlyMemory<byte> By(string? by) => by is null ? default : Write(w => w.WriteString("by", by));

    /// <summary>The same in words.</summary>
    public static string Asked(string? by) => by is null ? "on request" : $"by {by}";

    /// <summary>The end of a pass that only a timer or a message can continue.</summary>
    public static Checkpoint Waiting(IReadOnlyList<Wait> waits, int seen, string reason, DateTimeOffset now) => new()
    {
        Kind = CheckpointKind.Waiting,
        At = now,
        Reason = reason,
        Data = Write(w =>
        {
            w.WriteStartArray("waits");
            foreach (var wait in waits)
            {
                w.WriteStartObject();
                w.WriteString("path", wait.Path);
                if (wait.Signal is not null) w.WriteString("signal", wait.Signal);
                Rest(w, wait);
                w.WriteEndObject();
            }
            w.WriteEndArray();
            w.WriteNumber("seen", seen);
        }),
    };

    /// <summary>The params of which no record has the value.</summary>
    static IEnumerable<string> Secrets(Workflow workflow) => workflow.Params.Where(param => param.Type == "secret").Select(param => param.Name);

    /// <summary>The params that any pass declared as secrets.</summary>
    public static HashSet<string> Secrets(IEnumerable<Checkpoint> journal)
    {
        var names = new HashSet<string>();
        foreach (var record in journal.Where(record => record.Kind is CheckpointKind.Created or CheckpointKind.Resumed && !record.Data.IsEmpty))
        {
            using var data = JsonDocument.Parse(record.Data);
            if (data.RootElement.TryGetProperty("secrets", out var secrets)) names.UnionWith(secrets.EnumerateArray().Select(name => name.GetString()!));
        }
        return names;
    }

    /// <summary>A step begins to wait: the end of the waiting, and what a person is asked, are known before it does.</summary>
    public static Checkpoint Begun(Wait wait, DateTimeOffset now) => new()
    {
        Kind = CheckpointKind.Timer,
        At = now,
        Path = wait.Path,
        Data = Write(w =>
        {
            if (wait.Message is not null) w.WriteString("signal", wait.Signal);
            Rest(w, wait);
        }),
    };

    static void Rest(Utf8JsonWriter w, Wait wait)
    {
        if (wait.Due is { } due) w.WriteString("due", due.UtcDateTime);
        if (wait.Message is not null) w.WriteString("message", wait.Message);
    }

    public static Wait WaitIn(Checkpoint begun)
    {
        using var data = JsonDocument.Parse(begun.Data);
        return WaitIn(data.RootElement, begun.Path);
    }

    /// <summary>Reads what <see cref="Waiting"/> and <see cref="Begun"/> wrote.</summary>
    public static Wait WaitIn(JsonElement data, string? path = null)
    {
        return new Wait(path ?? data.GetProperty("path").GetString()!, Text("signal"), data.TryGetProperty("due", out var due) ? due.GetDateTimeOffset() : null, Text("message"));
        string? Text(string name) => data.TryGetProperty(name, out var text) ? text.GetString() : null;
    }

    const string Log = "log", Attached = "attachments";

    /// <summary>What a record refers to: its output, its log, and what else was attached.</summary>
    public static List<PayloadRef> Named(Checkpoint record)
    {
        List<PayloadRef> named = record.OutputRef is { } output ? [output] : [];
        if (record.Kind is not (CheckpointKind.Step or CheckpointKind.Compensated) || record.Data.Span.IndexOf("\"sha256\""u8) < 0) return named;
        using var data = JsonDocument.Parse(record.Data);
        if (data.RootElement.TryGetProperty(Log, out var log) && Name(log) is { } ofLog) named.Add(ofLog);
        if (data.RootElement.TryGetProperty(Attached, out var more) && more.ValueKind == JsonValueKind.Array) named.AddRange(more.EnumerateArray().Select(Name).OfType<PayloadRef>());
        return named;

        static PayloadRef? Name(JsonElement fact) => fact.ValueKind == JsonValueKind.Object && fact.TryGetProperty("sha256", out var hash) && hash.ValueKind == JsonValueKind.String && hash.GetString() is { Length: 64 } name
            && name.All(char.IsAsciiHexDigitLower) && fact.TryGetProperty("bytes", out var bytes) && bytes.TryGetInt64(out var length) ? new PayloadRef(name, length) : null;
    }

    /// <summary>The facts of a record with the names of its attachments; that of a log is there already.</summary>
    public static ReadOnlyMemory<byte> WithAttached(ReadOnlyMemory<byte> data, List<Payload>? payloads, PayloadRef? output)
    {
        if (payloads is null) return data;
        return WithNames(data, [.. payloads.Select(one => one.Ref).Where(one => one != output)]);
    }

    static ReadOnlyMemory<byte> WithNames(ReadOnlyMemory<byte> data, List<PayloadRef> attached)
    {
        var more = attached.FindAll(one => data.Span.IndexOf(System.Text.Encoding.ASCII.GetBytes($"\"{Log}\":{{\"sha256\":\"{one.Sha256}\"")) < 0);
        if (more.Count == 0) return data;
        var names = Write(w =>
        {
            w.WriteStartArray(Attached);
            foreach (var one in more)
            {
                w.WriteStartObject();
                w.WriteString("sha256", one.Sha256);
                w.WriteNumber("bytes", one.Bytes);
                w.WriteEndObject();
            }
            w.WriteEndArray();
        });
        return StepExecutor.With(data, names);
    }

    static void Definition(Utf8JsonWriter w, Workflow workflow)
    {
        w.WriteString("fingerprint", workflow.Fingerprint);
        w.WriteStartArray("steps");
        foreach (var step in workflow.Steps)
        {
            w.WriteStartObject();
            w.WriteString("id", step.Id);
            w.WriteString("kind", step.Kind);
            if (step.Options.Title is { } title) w.WriteString("title", title);
            if (step.Options.Fingerprint is { } print) w.WriteString("fingerprint", print);
            List(w, "needs", step.Needs.Concat(step.After));
            List(w, "reads", step.Reads.Select(use => use.ToString()));
            w.WriteEndObject();
        }
        w.WriteEndArray();
        if (workflow.Source is not { } source) return;
        w.WriteStartObject("definition");
        w.WriteString("format", source.Format);
        if (source.Path is not null) w.WriteString("path", source.Path);
        w.WriteString("text", source.Text);
        w.WriteEndObject();
    }

    public static byte[] Write(Action<Utf8JsonWriter> members)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            members(writer);
            writer.WriteEndObject();
        }
        return stream.ToArray();
    }

    public static void Values(Utf8JsonWriter w, string name, IReadOnlyDictionary<string, RawJson> values)
    {
        w.WriteStartObject(name);
        foreach (var (key, value) in values)
        {
            w.WritePropertyName(key);
            using var document = JsonDocument.Parse(value.Utf8);
            document.RootElement.WriteTo(w);
        }
        w.WriteEndObject();
    }

    public static void Words(Utf8JsonWriter w, string name, IReadOnlyDictionary<string, string>? words)
    {
        if (words is not { Count: > 0 }) return;
        w.WriteStartObject(name);
        foreach (var (key, value) in words) w.WriteString(key, value);
        w.WriteEndObject();
    }

    public static void List(Utf8JsonWriter w, string name, IEnumerable<string> items)
    {
        var all = items.ToList();
        if (all.Count == 0) return;
        w.WriteStartArray(name);
        foreach (var item in all) w.WriteStringValue(item);
        w.WriteEndArray();
    }
}

using System.Globalization;
using System.Text;
using System.Text.Json;
using Pawl.Engine;

namespace Pawl.Storage;

/// <summary>What the views show, folded from the journal, and their exact text.</summary>
sealed class ViewModel
{
    const string LayoutVersion = "2.3.0";
    static readonly JsonWriterOptions Options = new() { Indented = true, NewLine = "\n", Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    static readonly string[] Environment = ["shell", "bash_version", "git_available", "copilot_available"];
    static readonly string[] Modes = ["auto", "smart_execution", "parallel", "dry_run"];

    readonly record struct StepView(StepStatus? Status, SkipCause Cause, string? Reason, bool AfterFailure, bool Tolerated)
    {
        public bool Done => Status == StepStatus.Completed || Skipped || (Status == StepStatus.Failed && Tolerated);
        public bool Skipped => Status == StepStatus.Skipped && Cause != SkipCause.Blocked;
    }

    Dictionary<string, int> _ids = [];
    string?[] _groups = [];
    StepView[] _steps = [];
    Dictionary<string, string> _environment = [];
    Dictionary<string, bool> _mode = [];
    string? _project;
    DateTimeOffset _started, _last;
    bool _running;

    /// <summary>Steps whose files are to be written; null: the step is to be decided anew.</summary>
    public Dictionary<int, Checkpoint?> Pending { get; private set; } = [];

    /// <summary>Something changed since it was last taken.</summary>
    public bool Dirty { get; private set; }

    /// <summary>Somebody is to go on with the run, and claims it for that.</summary>
    public bool IsPaused { get; private set; }

    public IEnumerable<int> Completed => Where(step => step.Status == StepStatus.Completed);

    /// <summary>Steps with a record.</summary>
    public IEnumerable<int> Known => Where(step => step.Status is not null);

    IEnumerable<int> Where(Func<StepView, bool> is_) => Enumerable.Range(0, _steps.Length).Where(index => is_(_steps[index]));

    /// <summary>Folds a record in.</summary>
    /// <returns>True when the definition changed, so that numbers may mean other steps.</returns>
    public bool Apply(Checkpoint record)
    {
        (_last, Dirty, IsPaused) = (record.At, true, record.Kind == CheckpointKind.Paused);
        switch (record.Kind)
        {
            case CheckpointKind.Created:
                _started = record.At;
                using (var data = JsonDocument.Parse(record.Data)) ReadCreated(data.RootElement);
                return false;
            case CheckpointKind.Resumed:
                _running = true;
                return BeginPass(record);
            case CheckpointKind.Step when Transitions.IsTopLevel(record.Path) && _ids.TryGetValue(record.Path!, out var index):
                _steps[index] = new StepView(record.Status, record.Cause, record.Reason, record.Data.Span.IndexOf("\"after_failure\":true"u8) >= 0, record.Tolerated);
                Pending[index] = record;
                return false;
            case CheckpointKind.Compensated when record.Status == StepStatus.Completed && Transitions.IsTopLevel(record.Path) && _ids.TryGetValue(record.Path!, out var index):
                _steps[index] = default;
                Pending[index] = record;
                return false;
            case CheckpointKind.Paused or CheckpointKind.Canceled or CheckpointKind.Failed or CheckpointKind.Completed:
                _running = false;
                return false;
            default:
                return false;
        }
    }

    void ReadCreated(JsonElement data)
    {
        if (data.TryGetProperty("steps", out var steps)) Define(steps);
        _environment = Words(data, "environment");
        _project = data.TryGetProperty("project_path", out var project) ? project.GetString() : null;
        if (data.TryGetProperty("mode", out var mode)) _mode = mode.EnumerateObject().ToDictionary(flag => flag.Name, flag => flag.Value.ValueKind == JsonValueKind.True);
    }

    void Define(JsonElement steps)
    {
        var all = steps.EnumerateArray().ToList();
        _ids = [];
        for (var index = 0; index < all.Count; index++) _ids[all[index].GetProperty("id").GetString()!] = index;
        _groups = [.. all.Select(step => step.TryGetProperty("group", out var group) ? group.ToString() : null)];
        _steps = new StepView[all.Count];
    }

    bool BeginPass(Checkpoint record)
    {
        for (var index = 0; index < _steps.Length; index++)
        {
            if (_steps[index].AfterFailure) Forget(index);
        }
        if (record.Data.IsEmpty) return false;
        using var data = JsonDocument.Parse(record.Data);
        var root = data.RootElement;
        if (root.TryGetProperty("rerun", out var rerun))
        {
            foreach (var path in rerun.EnumerateArray())
            {
                if (_ids.TryGetValue(path.GetString()!, out var index)) Forget(index);
            }
        }
        if (Words(root, "environment") is { Count: > 0 } now) _environment = now;
        if (!root.TryGetProperty("steps", out var steps)) return false;
        var (oldIds, oldSteps, oldPending, map) = (_ids, _steps, Pending, Words(root, "map"));
        Define(steps);
        Pending = [];
        foreach (var (id, index) in _ids)
        {
            if (!oldIds.TryGetValue(map.GetValueOrDefault(id, id), out var old)) continue;
            _steps[index] = oldSteps[old];
            if (oldPending.TryGetValue(old, out var pending)) Pending[index] = pending;
        }
        return true;
    }

    void Forget(int index)
    {
        _steps[index] = default;
        Pending[index] = null;
    }

    static Dictionary<string, string> Words(JsonElement data, string name) => data.TryGetProperty(name, out var words)
        ? words.EnumerateObject().ToDictionary(word => word.Name, word => word.Value.ToString()) : [];

    /// <summary>A copy to write from; this one has nothing pending then.</summary>
    public ViewModel Take()
    {
        var copy = (ViewModel)MemberwiseClone();
        copy._steps = [.. _steps];
        (Pending, Dirty) = ([], false);
        return copy;
    }

    public byte[] Master(FileStoreLayout files, RunOwner owner)
    {
        var current = Array.FindIndex(_steps, step => !step.Done);
        return Json(w =>
        {
            w.WriteString("version", LayoutVersion);
            w.WriteString("workflow_id", Path.GetFileName(files.Directory));
            w.WriteString("project_path", _project);
            w.WriteString("started_at", Time(_started));
            w.WriteString("last_checkpoint", Time(_last));
            Numbers(w, "completed_steps", Completed);
            w.WriteNumber("current_step", current < 0 ? _steps.Length : current);
            w.WriteNumber("total_steps", _steps.Length);
            w.WriteStartObject("execution_mode");
            foreach (var mode in Modes) w.WriteBoolean(mode, _mode.GetValueOrDefault(mode));
            w.WriteEndObject();
            w.WriteStartObject("environment");
            foreach (var name in Environment.Union(_environment.Keys))
            {
                var value = _environment.GetValueOrDefault(name);
                if (value is "true" or "false") w.WriteBoolean(name, value == "true");
                else w.WriteString(name, value);
            }
            w.WriteEndObject();
            w.WriteStartObject("metadata");
            w.WriteString("user", System.Environment.UserName);
            w.WriteString("hostname", owner.Host);
            w.WriteNumber("pid", owner.Pid);
            w.WriteEndObject();
            w.WriteStartObject("parallel_execution");
            w.WriteBoolean("enabled", _mode.GetValueOrDefault("parallel"));
            w.WriteStartArray("groups");
            foreach (var group in Enumerable.Range(0, _groups.Length).Where(index => _groups[index] is not null).GroupBy(index => _groups[index]))
            {
                w.WriteStartObject();
                Numbers(w, "steps", group);
                w.WriteString("status", GroupStatus([.. group.Select(index => _steps[index])], group.Contains(current)));
                w.WriteEndObject();
            }
            w.WriteEndArray();
            w.WriteEndObject();
            w.WriteStartObject("smart_execution");
            w.WriteBoolean("enabled", _mode.GetValueOrDefault("smart_execution"));
            Numbers(w, "skipped_steps", Where(step => step.Skipped));
            var reasons = _steps.Where(step => step.Skipped).Select(step => step.Cause == SkipCause.Unchanged ? "no_relevant_changes" : step.Reason ?? "condition").Distinct().ToList();
            w.WriteString("skip_reason", reasons.Count == 0 ? null : string.Join("; ", reasons));
            w.WriteEndObject();
        });
    }

    string GroupStatus(StepView[] steps, bool isCurrent) =>
        steps.All(step => step.Done) ? "completed"
        : steps.Any(step => step.Status == StepStatus.Failed) ? "failed"
        : _running && (isCurrent || steps.Any(step => step.Status is not null)) ? "running"
        : "pending";

    public static byte[] Marker(int index, Checkpoint record) => Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture,
        $"STEP={index}\nCOMPLETED_AT={Time(record.At)}\nDURATION_SECONDS={Seconds(record)}\nEXIT_CODE={ExitCode(record)}\n"));

    public static byte[] State(int index, Checkpoint record) => Json(w =>
    {
        w.WriteNumber("step", index);
        w.WriteString("name", record.Path);
        w.WriteString("status", record.Kind == CheckpointKind.Compensated ? "compensated" : record.Status.ToString()!.ToLowerInvariant());
        w.WriteString("started_at", Time(record.At - record.Duration));
        w.WriteString("completed_at", Time(record.At));
        w.WriteNumber("duration_seconds", Seconds(record));
        w.WriteNumber("exit_code", ExitCode(record));
        w.WriteStartObject("outputs");
        Outputs(w, record);
        w.WriteEndObject();
        w.WriteStartArray("errors");
        if (record.Error is { } error) w.WriteStringValue(error.Message);
        w.WriteEndArray();
        w.WriteStartArray("warnings");
        if (Member(record.Data, "warnings") is { ValueKind: JsonValueKind.Array } warnings)
        {
            foreach (var warning in warnings.EnumerateArray()) warning.WriteTo(w);
        }
        w.WriteEndArray();
    });

    /// <summary>The members of an output that is an object, else the output as <c>value</c>, or where it is; and the metrics.</summary>
    static void Outputs(Utf8JsonWriter w, Checkpoint record)
    {
        HashSet<string> names = [];
        if (record.OutputRef is { } payload) w.WriteString("payload", $"payloads/{payload.Sha256}");
        foreach (var json in new[] { record.Output, record.Metrics })
        {
            if (json.IsEmpty) continue;
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 128 });
            var root = document.RootElement;
            if (root.ValueKind == JsonValueKind.Object)
            {
                foreach (var member in root.EnumerateObject().Where(member => names.Add(member.Name))) member.WriteTo(w);
            }
            else if (root.ValueKind != JsonValueKind.Null && names.Add("value"))
            {
                w.WritePropertyName("value");
                root.WriteTo(w);
            }
        }
    }

    static int ExitCode(Checkpoint record) =>
        Member(record.Data, "exit_code") is { ValueKind: JsonValueKind.Number } code && code.TryGetInt32(out var number) ? number : record.Status == StepStatus.Failed ? 1 : 0;

    static JsonElement? Member(ReadOnlyMemory<byte> json, string name)
    {
        if (json.IsEmpty) return null;
        using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 128 });
        return document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty(name, out var member) ? member.Clone() : null;
    }

    static long Seconds(Checkpoint record) => (long)Math.Round(record.Duration.TotalSeconds);

    static string Time(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    static void Numbers(Utf8JsonWriter w, string name, IEnumerable<int> numbers)
    {
        w.WritePropertyName(name);
        w.WriteRawValue($"[{string.Join(", ", numbers)}]");
    }

    static byte[] Json(Action<Utf8JsonWriter> members)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, Options))
        {
            writer.WriteStartObject();
            members(writer);
            writer.WriteEndObject();
        }
        stream.WriteByte((byte)'\n');
        return stream.ToArray();
    }
}

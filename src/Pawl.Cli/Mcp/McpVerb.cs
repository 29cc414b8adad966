using System.Text.Json;
using System.Text.Json.Nodes;

namespace Pawl.Cli.Mcp;

/// <summary>How a value of a call becomes words of a command line.</summary>
enum InputKind
{
    /// <summary>A word behind <c>--</c>.</summary>
    Word,
    /// <summary><c>--option=value</c>.</summary>
    Text,
    /// <summary>As <see cref="Word"/>, a file in the folder of the server or below it.</summary>
    File,
    /// <summary>An object: <c>--option=name=value</c> for each member.</summary>
    Pairs,
    /// <summary>Any value, as JSON: <c>--option=…</c>.</summary>
    Json,
}

/// <summary>What a call can be given.</summary>
/// <param name="Name">As the client calls it.</param>
/// <param name="Kind">What becomes of it.</param>
/// <param name="Doc">What it is.</param>
/// <param name="Option">The option, where there is one.</param>
/// <param name="IsRequired">A call without it is refused.</param>
sealed record Input(string Name, InputKind Kind, string Doc, string? Option = null, bool IsRequired = false);

/// <summary>A verb of the command as a tool of the Model Context Protocol: the same words, and the same JSON as with <c>--json</c>.</summary>
/// <param name="Name">The tool.</param>
/// <param name="Words">The verb, with options that are always there.</param>
/// <param name="Doc">What it does.</param>
/// <param name="Writes">It changes a run or the world.</param>
/// <param name="Inputs">What it can be given.</param>
sealed record McpVerb(string Name, string[] Words, string Doc, bool Writes, params Input[] Inputs)
{
    static readonly Input s_run = new("run", InputKind.Word, "The id of the run", IsRequired: true);
    static readonly Input s_step = new("step", InputKind.Word, "The path of the step, such as load or fleet/round/3");
    static readonly Input s_file = new("file", InputKind.File, "The workflow file, in the folder of this server or below it", IsRequired: true);
    static readonly Input s_params = new("params", InputKind.Pairs, "Params by name", "--param");
    static readonly Input s_reason = new("reason", InputKind.Text, "Why, for the record", "--reason");

    public static IReadOnlyList<McpVerb> All { get; } =
    [
        new("list_runs", ["list"], "The runs of the store, newest first.", false,
            new("status", InputKind.Text, "Only these statuses: pending,running,waiting,paused,completed,failed,canceled", "--status"), new("workflow", InputKind.Text, "Only runs of this workflow", "--workflow"),
            new("where", InputKind.Text, "Only runs that fit, such as team=data or error~timeout", "--where"), new("since", InputKind.Text, "Only runs started since: 2d, 12h, or a date", "--since"), new("limit", InputKind.Text, "At most this many; default 50", "--limit")),
        new("run_status", ["status"], "How far a run is, what it waits for, and how to go on with it; without a run the newest one.", false, s_run with { IsRequired = false }),
        new("show_checkpoint", ["show"], "One checkpoint of a run with its output; default: the last.", false, s_run, s_step with { Name = "checkpoint", Doc = "A step's path, or a checkpoint's number" }),
        new("show_state", ["show", "--snapshot"], "The state of a run at one checkpoint: params, outputs, shared state, metrics.", false, s_run, s_step with { Name = "checkpoint", Doc = "A step's path, or a checkpoint's number" }),
        new("list_checkpoints", ["checkpoints"], "The journal of a run as a table.", false, s_run),
        new("step_logs", ["logs"], "The captured output of a run's steps.", false, s_run, s_step),
        new("plan_resume", ["resume", "--plan"], "What a resume would reuse and run, and why; changes nothing.", false, s_run, s_params, new("from", InputKind.Text, "Run from this step on", "--from")),
        new("explain_step", ["explain"], "Why a step ran, was skipped, or was reused.", false, s_run, s_step with { IsRequired = true }),
        new("diff_runs", ["diff"], "Where two runs first differ, and how.", false, s_run with { Name = "first" }, s_run with { Name = "second" }),
        new("run_costs", ["costs"], "Time, calls, tokens and money of a run: spent, and saved by resumes; without a run each workflow.", false, s_run with { IsRequired = false }),
        new("fleet_rounds", ["show", "--format=fleet"], "The rounds of a fleet of agents.", false, s_run, new("checkpoint", InputKind.Word, "round/3, or a checkpoint's number")),
        new("verify_run", ["verify"], "Whether a journal is whole: the chain of hashes, and every payload; without a run all of them.", false, s_run with { IsRequired = false }),
        new("validate_file", ["validate"], "Every problem of a workflow file, with its place and a hint.", false, s_file),
        new("run_workflow", ["run", "--auto"], "Starts a run and stays with it until it ends or waits.", true, s_file, s_params, new("run_id", InputKind.Text, "The new run's id", "--run-id")),
        new("resume_run", ["resume", "--auto"], "Goes on with a run: what is done is reused, the rest runs.", true, s_run, s_params, new("from", InputKind.Text, "Run from this step on", "--from")),
        new("fork_run", ["fork"], "A new run from a checkpoint of another, with other params or outputs.", true, s_run, new("at", InputKind.Text, "A checkpoint's number, or a step: it and what ended behind it run again", "--at", true), s_params,
            new("set", InputKind.Pairs, "Outputs or state by path, such as outputs.load: JSON", "--set"), new("run_id", InputKind.Text, "The new run's id", "--run-id")),
        new("approve_step", ["approve"], "Approves what a run asks.", true, s_run, s_step, s_reason, new("changes", InputKind.Json, "What should be different, for the step to take up", "--changes")),
        new("reject_step", ["reject"], "Rejects what a run asks.", true, s_run, s_step, s_reason),
        new("send_signal", ["signal"], "Sends a message to a run that waits for it.", true, s_run, new("signal", InputKind.Word, "Its name", IsRequired: true), new("body", InputKind.Json, "What is sent with it")),
        new("cancel_run", ["cancel"], "Ends a run for good.", true, s_run),
        new("prove_workflow", ["prove"], "Kills a run of the workflow at every commit, in sandboxes, resumes it, and compares it with an unbroken one.", true, s_file, s_params, new("points", InputKind.Text, "How many points: all, or a number", "--points")),
    ];

    public JsonElement Schema()
    {
        var properties = new JsonObject();
        foreach (var input in Inputs)
        {
            var one = new JsonObject { ["description"] = input.Doc };
            if (input.Kind == InputKind.Pairs) one["type"] = "object";
            else if (input.Kind != InputKind.Json) one["type"] = new JsonArray("string", "number");
            properties[input.Name] = one;
        }
        var schema = new JsonObject { ["type"] = "object", ["properties"] = properties, ["additionalProperties"] = false, ["required"] = new JsonArray([.. Inputs.Where(input => input.IsRequired).Select(input => JsonValue.Create(input.Name))]) };
        using var document = JsonDocument.Parse(schema.ToJsonString());
        return document.RootElement.Clone();
    }

    /// <summary>The command line of a call. No value can become an option: texts stand behind a <c>=</c>, words behind <c>--</c>.</summary>
    /// <exception cref="UsageException">A value is missing, unknown, or of the wrong kind.</exception>
    public IReadOnlyList<string> CommandLine(IReadOnlyDictionary<string, JsonElement> given, string folder)
    {
        if (given.Keys.FirstOrDefault(name => Inputs.All(input => input.Name != name)) is { } unknown) throw new UsageException($"'{Name}' takes no '{unknown}'.{Nearest.Hint(unknown, Inputs.Select(input => input.Name))}");
        var (options, words) = (new List<string>(), new List<string>());
        foreach (var input in Inputs)
        {
            if (!given.TryGetValue(input.Name, out var value) || value.ValueKind == JsonValueKind.Null)
            {
                if (input.IsRequired) throw new UsageException($"'{input.Name}' of '{Name}' is missing: {input.Doc}.");
                continue;
            }
            switch (input.Kind)
            {
                case InputKind.Pairs when value.ValueKind == JsonValueKind.Object:
                    options.AddRange(value.EnumerateObject().Select(pair => $"{input.Option}={pair.Name}={Plain(pair.Value)}"));
                    break;
                case InputKind.Json when input.Option is not null:
                    options.Add($"{input.Option}={value.GetRawText()}");
                    break;
                case InputKind.Json:
                    words.Add(value.GetRawText());
                    break;
                case InputKind.Text when value.ValueKind is JsonValueKind.String or JsonValueKind.Number:
                    options.Add($"{input.Option}={Plain(value)}");
                    break;
                case InputKind.Word when value.ValueKind is JsonValueKind.String or JsonValueKind.Number:
                    words.Add(Plain(value));
                    break;
                case InputKind.File when value.ValueKind == JsonValueKind.String:
                    words.Add(Inside(value.GetString()!, folder));
                    break;
                default:
                    throw new UsageException($"'{input.Name}' of '{Name}' must be {(input.Kind == InputKind.Pairs ? "an object" : "a text")}.");
            }
        }
        return [.. Words, .. options, "--json", .. words.Count > 0 ? (string[])["--", .. words] : []];
    }

    static string Plain(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText();

    static string Inside(string file, string folder)
    {
        var path = Path.GetFullPath(file, folder);
        return path.StartsWith(folder + Path.DirectorySeparatorChar, StringComparison.Ordinal) ? Path.GetRelativePath(folder, path)
            : throw new UsageException($"'{file}' is outside of '{folder}', where this server was started.");
    }
}

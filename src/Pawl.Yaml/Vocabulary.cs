using static Pawl.Yaml.Shape;

namespace Pawl.Yaml;

/// <summary>A key of a workflow file.</summary>
/// <param name="Name">How it is written.</param>
/// <param name="Shape">What its value may be.</param>
/// <param name="Doc">What it means, for editors.</param>
/// <param name="Default">The value that holds without it, for people.</param>
internal sealed record Key(string Name, Shape Shape, string Doc, string? Default = null)
{
    public bool IsRequired { get; init; }
}

/// <summary>A kind of mapping: which keys may stand in it.</summary>
/// <param name="Name">For references between places.</param>
/// <param name="Words">For messages: <c>a step</c>.</param>
/// <param name="Keys">The keys.</param>
internal sealed record Place(string Name, string Words, IReadOnlyList<Key> Keys)
{
    /// <summary>Words of other formats, and what stands for them here.</summary>
    public IReadOnlyDictionary<string, string> Foreign { get; init; } = new Dictionary<string, string>();

    public void Check(YamlMapping node, ProblemList problems)
    {
        foreach (var (name, value) in node.Entries)
        {
            var key = Keys.FirstOrDefault(key => key.Name == name.Value);
            if (key is null) problems.Error(name, $"There is no key '{YamlReader.Printable(name.Value)}' in {Words}.", HintFor(name.Value));
            else if (value is YamlScalar { IsNull: true } && key.Shape is not Anything) problems.Error(name, $"'{key.Name}' has no value; it must be {key.Shape.Words}.");
            else key.Shape.CheckAll(value, $"'{key.Name}'", problems);
        }
        foreach (var key in Keys.Where(key => key.IsRequired && node.Entries.All(entry => entry.Key.Value != key.Name)))
            problems.Error(node, $"'{key.Name}' is missing in {Words}.", $"'{key.Name}' is {key.Shape.Words}: {key.Doc}");
    }

    string HintFor(string word)
    {
        if (Foreign.TryGetValue(word, out var here)) return here;
        var names = Keys.Select(key => key.Name);
        return Nearest.Find(word, names) is { } near ? $"Did you mean '{near}'?" : $"Its keys are: {string.Join(", ", names)}.";
    }
}

/// <summary>Every key of a workflow file with its type, meaning and default: the one table behind the checks, the messages and the JSON Schema.</summary>
internal static class Vocabulary
{
    static readonly Shape s_text = new AnyText();
    static readonly Shape s_flag = new Flag();
    static readonly Shape s_duration = new Duration();
    static readonly Shape s_texts = new Either(s_text, new ListOf(s_text, "texts"));
    static readonly Shape s_retry = new Either(new Whole(1, 1000), new Keys("retry"));
    static readonly Shape s_steps = new ListOf(new Keys("step"), "steps", Least: 1);
    static readonly Shape s_env = new MapOf(s_text, "environment variable");

    static readonly Key[] s_inherited =
    [
        new("shell", new OneOf("bash", "sh", "pwsh"), "The shell of 'run' and 'compensate'.", "bash"),
        new("working_directory", s_text, "Where commands run and where file patterns begin, relative to the folder the run was started in.", "that folder"),
        new("env", s_env, "Environment variables for the commands; values may hold ${{ }}."),
        new("timeout", s_duration, "Limit of one attempt."),
        new("retry", s_retry, "Attempts in all, or a mapping.", "1"),
    ];

    public static IReadOnlyList<Place> Places { get; } =
    [
        new("workflow", "a workflow file",
        [
            new("name", s_text, "Names the workflow in stores and run ids.", "the file's name"),
            new("version", new Whole(1), "The author's version.", "1"),
            new("description", s_text, "For people."),
            new("params", new MapOf(new Either(new Keys("param"), s_text, new ListOf(new Anything(), "values"), new Nothing()), "param"), "What a run can be given: a default value, or a mapping."),
            new("env", s_env, "Environment variables for all commands; values may hold ${{ }}."),
            new("defaults", new Keys("defaults"), "What holds for every step that does not say otherwise."),
            new("concurrency", new Whole(1, 10_000), "Steps that run at the same time.", "no limit"),
            new("timeout", s_duration, "Limit of the run, from its start or its resume.", "none"),
            new("on_failure", new OneOf("stop", "continue", "compensate"), "When a step has failed for good: start nothing new; run whatever does not need it; or stop and undo finished steps.", "stop"),
            new("checkpointing", new Keys("checkpointing"), "When results are kept, and for how long."),
            new("migrations", new ListOf(new Keys("migration"), "migrations"), "How runs of earlier versions go on under this one."),
            new("budget", new Keys("budget"), "What a run may take, over all its passes: past it the run is paused, and goes on when the budget is raised."),
            new("prices", new MapOf(new Keys("price"), "model"), "Prices of models: what a step's tokens cost when it does not say it."),
            new("tools", new MapOf(s_text, "tool"), "Commands that print a tool's version: recorded when a run begins, compared by a resume."),
            new("prove", new Keys("prove"), "What 'pawl prove' copies, resets and compares."),
            new("steps", s_steps, "The work.") { IsRequired = true },
        ])
        {
            Foreign = Words(("jobs", "Here a file holds one list: write 'steps'."), ("tasks", "Write 'steps'."), ("stages", "Write 'steps', with 'group' for what runs side by side."),
                ("workflow", "A workflow's keys (name, params, steps, …) stand at the top of the file, not under 'workflow'."), ("inputs", "Write 'params'."), ("parameters", "Write 'params'."), ("variables", "Write 'params' or 'env'."),
                ("on", "A workflow is started with 'pawl run', not by an event."), ("environment", "Write 'env'."), ("parallelism", "Write 'concurrency'."), ("project", "There is no project block; 'name' and 'version' stand at the top of the file.")),
        },
        new("param", "a param",
        [
            new("type", new OneOf("string", "number", "integer", "boolean", "list", "object", "secret"), "What its values are. A secret is never stored and is masked in output.", "that of the default, otherwise string"),
            new("default", new Anything(), "Its value when the run gives none."),
            new("enum", new ListOf(s_text, "allowed values", Least: 1), "The only values allowed."),
            new("required", s_flag, "A run without it is refused.", "true when there is no default"),
            new("env", s_text, "The environment variable it is read from when the run gives none; for string and secret."),
            new("description", s_text, "For people."),
        ]) { Foreign = Words(("choices", "Write 'enum'."), ("options", "Write 'enum'."), ("value", "Write 'default'.")) },
        new("defaults", "'defaults'", s_inherited),
        new("retry", "'retry'",
        [
            new("attempts", new Whole(1, 1000), "Attempts in all, the first one included.", "3"),
            new("delay", s_duration, "Pause before the second attempt.", "1s"),
            new("backoff", new Number(1, 100), "Factor from each pause to the next.", "2"),
            new("max_delay", s_duration, "Longest pause.", "60s"),
            new("jitter", s_flag, "Shortens each pause by up to a half.", "true"),
        ]) { Foreign = Words(("max_attempts", "Write 'attempts'."), ("count", "Write 'attempts'."), ("interval", "Write 'delay'.")) },
        new("checkpointing", "'checkpointing'",
        [
            new("enabled", s_flag, "False keeps nothing; the run cannot be resumed.", "true"),
            new("strategy", new OneOf("every_step", "marked", "off"), "Which steps write a checkpoint; 'marked' are those with 'checkpoint: true'.", "every_step"),
            new("durability", new OneOf("sync", "async", "exit"), "When a checkpoint is durable: before anything that depends on it; while later steps run; or at the end.", "sync"),
            new("retention", new Keys("retention"), "How long finished runs stay.", "the store's own"),
            new("auto_resume_on_failure", new Either(s_flag, new Whole(0, 100)), "Resumes a failed run by itself; true is at most 3 times.", "false"),
        ]),
        new("prove", "'prove'",
        [
            new("compare", s_texts, "File patterns: these files must be as after an unbroken run.", "every file that the run created or changed"),
            new("ignore", s_texts, "File patterns: these may differ."),
            new("exclude", s_texts, "File patterns: not copied into the sandboxes.", "nothing but .checkpoints"),
            new("approvals", new OneOf("approve", "reject"), "How every request for approval is answered, so that what is behind it is proved.", "not at all: the run is proved up to there"),
            new("signals", new MapOf(new Anything(), "signal"), "Signals that are sent to a run that waits for them: their bodies by name; null is no body."),
            new("setup", s_text, "A bash text that runs in each sandbox before its run: starts a server, fills a database."),
            new("teardown", s_text, "A bash text that runs in each sandbox behind its run, before files are compared: writes what a server holds into a file, and stops it."),
        ]) { Foreign = Words(("files", "Write 'compare'."), ("before", "Write 'setup'."), ("after", "Write 'teardown'."), ("skip", "Write 'ignore' or 'exclude'.")) },
        new("retention", "'retention'",
        [
            new("days", new Whole(0, 36_500), "Finished runs older than this may go.", "30"),
            new("keep_last", new Whole(0), "At least this many newest finished runs stay.", "0"),
        ]),
        new("migration", "a migration",
        [
            new("from", new Whole(1), "The version that the run last ran with.") { IsRequired = true },
            new("to", new Whole(2), "The version after it.", "the next one"),
            new("rename", new MapOf(s_text, "step"), "Old step id: new step id."),
            new("outputs", new MapOf(new MapOf(new Anything(), "output"), "step"), "By step, outputs that get another value; { from: NAME } takes that of another name; null removes."),
            new("state", new MapOf(new Anything(), "key"), "Shared state that gets another value, in the same way."),
        ]),
        new("budget", "'budget'",
        [
            new("cost_usd", new Number(0, 1_000_000), "US dollars.", "no limit"),
            new("tokens", new Whole(0, 2_000_000_000), "Tokens read and written.", "no limit"),
            new("duration", s_duration, "Time of attempts; waiting between passes does not count.", "no limit"),
        ]),
        new("price", "a price",
        [
            new("input", new Number(0, 1_000_000), "US dollars for a million tokens read.") { IsRequired = true },
            new("output", new Number(0, 1_000_000), "US dollars for a million tokens written.") { IsRequired = true },
        ]),
        new("group", "'group'",
        [
            new("steps", s_steps, "Steps that run side by side, unless their 'needs' say otherwise.") { IsRequired = true },
            new("max_parallel", new Whole(1, 10_000), "How many at the same time.", "no limit"),
        ]),
        new("case", "a case of 'choose'",
        [
            new("when", s_text, "The case is taken when this expression holds and no case above it did."),
            new("steps", s_steps, "The steps of the case, one after the other."),
            new("otherwise", s_steps, "Instead of 'when' and 'steps', in the last case: the steps when no case holds."),
        ]) { Foreign = Words(("if", "Write 'when'."), ("else", "Write 'otherwise'."), ("default", "Write 'otherwise'.")) },
        new("approval", "'approval'",
        [
            new("message", s_text, "What is asked; may hold ${{ }}.") { IsRequired = true },
            new("timeout", s_duration, "Longest wait, from the first time that the run comes here.", "none"),
            new("on_timeout", new OneOf("reject", "fail", "continue"), "What it means when nobody decides in time.", "reject"),
            new("operation", s_text, "The kind of operation, for rules about what needs a person."),
        ]),
        new("signal", "'wait_for'",
        [
            new("signal", s_text, "Its name: letters, digits and . _ -; may hold ${{ }}.") { IsRequired = true },
            new("timeout", s_duration, "Longest wait, from the first time that the run comes here.", "none"),
            new("on_timeout", new OneOf("fail", "continue"), "What it means when no signal comes in time.", "fail"),
        ]),
        new("unknown", "'on_unknown'",
        [
            new("probe", s_text, "A command that exits with 0 when the step's work was done.") { IsRequired = true },
        ]),
        new("step", "a step",
        [
            new("id", s_text, "Letters, digits and . _ -; unique among its neighbours.") { IsRequired = true },
            new("name", s_text, "A title for people.", "the id"),
            new("needs", s_texts, "Steps that must have succeeded; [] begins at once.", "the step above, in order only"),
            new("after", s_texts, "Steps that must have ended; a skipped one does not skip this step."),
            new("if", s_text, "An expression, with or without ${{ }}: the step runs only when it holds. always() and failure() let it run after a failure."),
            new("run", s_text, "A shell text. ${{ }} in it is quoted; params are there as PAWL_PARAM_NAME; lines name=value written to $PAWL_OUTPUT are its outputs, lines name=number written to $PAWL_METRICS its metrics."),
            .. s_inherited,
            new("continue_on_error", s_flag, "A failure is recorded and counts as done.", "false"),
            new("checkpoint", s_flag, "Writes a checkpoint under 'strategy: marked'.", "false"),
            new("compensate", s_text, "A shell text that undoes the step when the run is compensated; steps.<its id>.outputs can be read."),
            new("on_unknown", new Either(new OneOf("rerun", "ask", "skip", "fail"), new Keys("unknown")), "When the process died in the middle of the step, and nobody knows whether its work was done.", "rerun"),
            new("sources", s_texts, "File patterns: the step is skipped when none of these files, its text or its values changed since it last succeeded."),
            new("generates", s_texts, "File patterns of what the step makes; when one is missing or changed, it runs."),
            new("git", new OneOf("changed"), "The step runs only when git shows changes (of 'sources', or of anything) since it last succeeded."),
            new("output_limit", new Either(new Whole(1024, 1_000_000_000), s_text), "Bytes of captured output that are kept; 64KiB, 10MiB.", "the runner's"),
            new("matrix", new MapOf(new Either(s_text, new ListOf(new Anything(), "values")), "matrix dimension"), "One item for each combination of the dimensions, with ${{ matrix.name }}; 'include' adds, 'exclude' removes."),
            new("foreach", new Either(s_text, new ListOf(new Anything(), "items")), "One item for each element of a list or of the list an expression gives, with ${{ item }} and ${{ index }}."),
            new("key", s_text, "An expression that gives each item of 'foreach' its stable, unique key.", "the item, or its id, key or name"),
            new("max_parallel", new Whole(1, 10_000), "Items at the same time.", "8"),
            new("steps", s_steps, "For each item, these steps, one after the other."),
            new("group", new Either(s_steps, new Keys("group")), "Steps that run side by side."),
            new("workflow", s_text, "A workflow file, relative to this one, that runs as a child."),
            new("with", new MapOf(new Anything(), "param"), "Params of the child; texts may hold ${{ }}."),
            new("sleep", new Duration(MayCompute: true), "A pause that outlives the process: a resume waits only for the rest."),
            new("choose", new ListOf(new Keys("case"), "cases", Least: 1), "The steps of the first case that holds."),
            new("agent", new Keys("agent"), "Asks one agent: a model with instructions and tools. Each answer and each result of a tool is kept."),
            new("agents", new Keys("agents"), "A fleet of agents works in rounds on a task; each round is kept."),
            new("approval", new Either(s_text, new Keys("approval")), "Asks a person, who approves or rejects. The run holds nothing meanwhile; a rejected step has failed."),
            new("wait_for", new Either(s_text, new Keys("signal")), "Waits for a signal to the run, which holds nothing meanwhile; what was sent with it is the step's output."),
        ])
        {
            Foreign = Words(("depends_on", "Write 'needs'."), ("dependencies", "Write 'needs'."), ("dependsOn", "Write 'needs'."), ("deps", "Write 'needs'."), ("command", "Write 'run'."), ("cmd", "Write 'run'."), ("cmds", "Write 'run'."),
                ("script", "Write 'run'."), ("file", "Write 'run' with the command, for example run: ./script.sh"), ("uses", "Write 'run', or 'workflow' for a child workflow."), ("when", "Write 'if'."), ("condition", "Write 'if'."), ("parallel", "Write 'group'."),
                ("can_parallelize", "Steps with the same 'needs' run at the same time; a step without 'needs' comes after the one above it."), ("timeout_minutes", "Write 'timeout: 10m'."), ("timeout-minutes", "Write 'timeout: 10m'."), ("retries", "Write 'retry'."),
                ("continue-on-error", "Write 'continue_on_error'."), ("working-directory", "Write 'working_directory'."), ("environment", "Write 'env'."), ("dir", "Write 'working_directory'."), ("cwd", "Write 'working_directory'."), ("title", "Write 'name'."),
                ("description", "Write 'name' for a title, or a comment."), ("strategy", "Write 'matrix' (and 'max_parallel') on the step itself."), ("outputs", "Outputs are what the command writes to $PAWL_OUTPUT; they are not declared."), ("for_each", "Write 'foreach'."), ("loop", "Write 'foreach'."), ("parameters", "Write 'with' for a child's params.")),
        },
        .. AgentVocabulary.Places,
    ];

    public static Place Find(string name) => s_byName.TryGetValue(name, out var place) ? place : throw new ArgumentException($"no place '{name}'");

    static readonly Dictionary<string, Place> s_byName = Places.ToDictionary(place => place.Name);

    static Dictionary<string, string> Words(params (string Word, string Hint)[] words) => words.ToDictionary(pair => pair.Word, pair => pair.Hint);
}

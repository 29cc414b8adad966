using static Pawl.Yaml.Shape;

namespace Pawl.Yaml;

/// <summary>The keys of agents in workflow files, and those of the configuration file: the part of <see cref="Vocabulary"/> about models, tools and settings.</summary>
internal static class AgentVocabulary
{
    static readonly Shape s_text = new AnyText();
    static readonly Shape s_flag = new Flag();
    static readonly Shape s_duration = new Duration();
    static readonly Shape s_texts = new Either(s_text, new ListOf(s_text, "texts"));
    static readonly Shape s_tools = new MapOf(new Keys("tool"), "tool");
    static readonly Shape s_onUnknown = new Either(new OneOf("rerun", "ask", "skip", "fail"), new Keys("unknown"));

    static readonly Key[] s_limits =
    [
        new("max_rounds", new Whole(1, 10_000), "Rounds of a fleet of agents, at most.", "10"),
        new("max_stalls", new Whole(1, 1000), "Rounds in a row without progress before the plan is made anew.", "3"),
        new("max_resets", new Whole(0, 1000), "Plans made anew, at most.", "2"),
    ];

    static readonly Key[] s_answer =
    [
        new("result", new OneOf("text", "json"), "What the answer must be; as JSON it is the output 'result' too.", "text"),
        new("max_turns", new Whole(1, 1000), "Calls of the model for one answer, at most: an agent that uses tools takes one for each round of them.", "20"),
    ];

    public static Place[] Places { get; } =
    [
        new("agent", "'agent'",
        [
            new("model", s_text, "A model of the configuration file.", "default"),
            new("instructions", s_text, "Who it is and how it works; may hold ${{ }}, but no secret."),
            new("prompt", s_text, "What it is asked; may hold ${{ }}, but no secret.") { IsRequired = true },
            new("tools", s_tools, "What it can use, by name."),
            .. s_answer,
        ]) { Foreign = Words(("task", "Write 'prompt'."), ("system", "Write 'instructions'."), ("system_prompt", "Write 'instructions'."), ("agents", "Several agents are the step 'agents'.")) },
        new("agents", "'agents'",
        [
            new("task", s_text, "What they are asked; may hold ${{ }}, but no secret.") { IsRequired = true },
            new("agents", new MapOf(new Keys("member"), "agent"), "Who works, by name.") { IsRequired = true },
            new("orchestrator", new Keys("orchestrator"), "Who plans and gives out the work.", "the model of 'agents'"),
            new("model", s_text, "A model of the configuration file, for whoever names none.", "default"),
            new("tools", s_tools, "What agents can use; each names its own."),
            new("protocol", new OneOf("magentic", "delegate"), "How the orchestrator speaks: with ledgers in JSON, or in lines DELEGATE: and FINAL_ANSWER: for small models.", "magentic"),
            .. s_limits,
            new("plan_review", new Either(s_flag, new Keys("review")), "A person approves, edits or rejects the plan before it is followed.", "false"),
            new("metadata", new MapOf(s_text, "metadata"), "Kept with each round's checkpoint."),
            .. s_answer,
        ]) { Foreign = Words(("prompt", "Write 'task'."), ("members", "Write 'agents'."), ("participants", "Write 'agents'."), ("manager", "Write 'orchestrator'."), ("timeout", "'timeout' stands on the step.")) },
        new("orchestrator", "'orchestrator'",
        [
            new("model", s_text, "A model of the configuration file."),
            new("instructions", s_text, "More for it to know; may hold ${{ }}, but no secret."),
        ]),
        new("member", "an agent",
        [
            new("description", s_text, "What it is good for: the orchestrator chooses by it.") { IsRequired = true },
            new("instructions", s_text, "Who it is and how it works; may hold ${{ }}, but no secret."),
            new("model", s_text, "A model of the configuration file."),
            new("tools", s_texts, "Names of tools that it can use."),
        ]) { Foreign = Words(("role", "Write 'description'."), ("system", "Write 'instructions'.")) },
        new("review", "'plan_review'",
        [
            new("timeout", s_duration, "Longest wait.", "none"),
            new("on_timeout", new OneOf("reject", "fail", "continue"), "What it means when nobody decides in time.", "reject"),
            new("operation", s_text, "The kind of operation, for rules about what needs a person."),
        ]),
        new("tool", "a tool",
        [
            new("description", s_text, "What it does: the model reads it. Required with 'run' and 'http'."),
            new("parameters", new MapOf(new Either(new OneOf("string", "number", "integer", "boolean"), new Keys("parameter")), "parameter"), "What the model gives it: a type, or a mapping."),
            new("run", s_text, "A shell text. Parameters are there as PAWL_ARG_NAME, never as part of the text; what it prints is the result."),
            new("http", new Keys("http"), "One kind of HTTP request."),
            new("mcp", new Keys("mcp"), "A server of the Model Context Protocol: all its tools, or those it names."),
            new("shell", new OneOf("bash", "sh", "pwsh"), "The shell of 'run'.", "bash"),
            new("working_directory", s_text, "Where 'run' runs, relative to the folder the run was started in.", "the step's"),
            new("env", new MapOf(s_text, "environment variable"), "Environment variables for 'run'; values may hold ${{ }}."),
            new("timeout", s_duration, "Limit of one call.", "5m"),
            new("approval", new Either(s_flag, s_text, new Keys("tool_approval")), "A person approves, edits or rejects each call; a text is the kind of operation.", "false"),
            new("on_unknown", s_onUnknown, "When the process died in the middle of a call, and nobody knows whether its work was done.", "rerun"),
        ]) { Foreign = Words(("command", "Write 'run', or 'mcp' with a command."), ("args", "Write 'parameters'."), ("arguments", "Write 'parameters'."), ("url", "Write 'http: { url: … }'.")) },
        new("parameter", "a parameter",
        [
            new("type", new OneOf("string", "number", "integer", "boolean"), "What its values are.", "string"),
            new("description", s_text, "What it means: the model reads it."),
            new("enum", new ListOf(s_text, "allowed values", Least: 1), "The only values allowed."),
            new("required", s_flag, "A call without it is refused.", "true"),
        ]),
        new("http", "'http'",
        [
            new("url", s_text, "The address; {name} is a parameter, written as a part of an address. Other parameters go into the query, or into a JSON body.") { IsRequired = true },
            new("method", new OneOf("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"), "How it is asked.", "GET"),
            new("hosts", s_texts, "Hosts that may be asked, each NAME or NAME:PORT; no other ever is.", "that of the address"),
            new("headers", new MapOf(s_text, "header"), "Headers; values may hold ${{ }}, also secrets."),
        ]),
        new("mcp", "'mcp'",
        [
            new("command", s_text, "The program to start; it speaks over its standard input and output.") { IsRequired = true },
            new("args", s_texts, "Its arguments; may hold ${{ }}."),
            new("env", new MapOf(s_text, "environment variable"), "Environment variables for it; values may hold ${{ }}, also secrets."),
            new("tools", s_texts, "Only these of its tools.", "all"),
        ]) { Foreign = Words(("url", "Only servers over standard input and output are supported: write 'command'.")) },
        new("tool_approval", "'approval' of a tool",
        [
            new("message", s_text, "What is asked; may hold ${{ }}, but no secret."),
            new("operation", s_text, "The kind of operation, for rules about what needs a person."),
            new("timeout", s_duration, "Longest wait.", "none"),
            new("on_timeout", new OneOf("reject", "fail", "continue"), "What it means when nobody decides in time.", "reject"),
        ]),
        new("configuration", "a configuration file",
        [
            new("workflow", new Keys("settings"), "Settings for every run."),
            new("models", new MapOf(new Keys("model"), "model"), "The models that agents name; 'default' is for those that name none."),
        ]) { Foreign = Words(("checkpointing", "It stands under 'workflow'."), ("human_in_the_loop", "It stands under 'workflow'."), ("max_rounds", "It stands under 'workflow'."), ("steps", "This is the configuration file; 'steps' belong into the workflow's own file.")) },
        new("settings", "'workflow' of a configuration file",
        [
            .. s_limits,
            new("timeout_seconds", new Whole(1, 100_000_000), "Limit of a run, in seconds, from its start or its resume.", "the workflow's"),
            new("checkpointing", new Keys("storage"), "Whether and where checkpoints are kept."),
            new("human_in_the_loop", new Keys("approvals"), "What needs a person."),
        ]) { Foreign = Words(("timeout", "Write 'timeout_seconds'."), ("approvals", "Write 'human_in_the_loop'."), ("approval", "Write 'human_in_the_loop'.")) },
        new("storage", "'checkpointing' of a configuration file",
        [
            new("enabled", s_flag, "False keeps nothing; runs cannot be resumed.", "true"),
            new("storage_type", new OneOf("file", "memory", "sqlite", "postgres", "redis"), "The kind of store.", "file"),
            new("storage_path", new Either(new Keys("secret"), s_text), "The folder, the file, or the address of the server; relative to the folder the command is started in.", "./.checkpoints"),
            new("cleanup_after_days", new Whole(0, 36_500), "Finished runs older than this are removed.", "30"),
            new("auto_resume_on_failure", new Either(s_flag, new Whole(0, 100)), "Resumes a failed run by itself; true is at most 3 times.", "false"),
        ]) { Foreign = Words(("retention", "Write 'cleanup_after_days'."), ("path", "Write 'storage_path'."), ("type", "Write 'storage_type'.")) },
        new("approvals", "'human_in_the_loop'",
        [
            new("enabled", s_flag, "False approves everything.", "true"),
            new("approval_timeout_seconds", new Whole(1, 100_000_000), "Longest wait for a person, in seconds.", "the step's or the tool's"),
            new("auto_reject_on_timeout", s_flag, "Whether a decision that does not come in time counts as rejected; false fails the step.", "the step's or the tool's"),
            new("require_approval_for", s_texts, "Kinds of operations that need a person; others need none.", "all"),
            new("trusted_operations", s_texts, "Kinds of operations that never need one."),
        ]),
        new("model", "a model",
        [
            new("endpoint", s_text, "The address of an OpenAI-compatible server, most end with /v1."),
            new("model", s_text, "The model's name there. Required with 'endpoint'."),
            new("key", new Keys("secret"), "Where its key comes from."),
            new("scripted", s_text, "Instead of an endpoint: a file with answers, relative to this one, for tests and demonstrations."),
            new("price", new Keys("price"), "What its tokens cost."),
            new("temperature", new Number(0, 2), "How freely it chooses its words.", "the server's"),
            new("top_p", new Number(0, 1), "How many words it chooses among.", "the server's"),
            new("max_tokens", new Whole(1, 10_000_000), "Longest answer.", "the server's"),
            new("timeout", s_duration, "Longest wait for an answer, or for its next part.", "10m"),
        ]) { Foreign = Words(("url", "Write 'endpoint'."), ("base_url", "Write 'endpoint'."), ("name", "Write 'model'."), ("api_key", "Write 'key: { env: VARIABLE }'."), ("prices", "Write 'price'.")) },
        new("secret", "a secret reference",
        [
            new("env", s_text, "The environment variable that holds it.") { IsRequired = true },
        ]),
    ];

    static Dictionary<string, string> Words(params (string Word, string Hint)[] words) => words.ToDictionary(pair => pair.Word, pair => pair.Hint);
}

using System.Buffers;
using System.Collections.Concurrent;
using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using System.Text.Encodings.Web;
using System.Text.Json;
using Pawl.Cli.Agents;
using Pawl.Cli.Input;
using Pawl.Cli.View;
using Pawl.Yaml;

namespace Pawl.Cli;

/// <summary>One call of the command: what was asked, and the ways to answer.</summary>
sealed class Cli
{
    const string JsonStream = "--json-stream";

    readonly Option<bool> _json = new("--json") { Description = "One JSON document on stdout; text for people goes to stderr", Recursive = true };
    readonly Option<bool> _stream = new(JsonStream) { Hidden = true, Recursive = true };
    // A worker reads definitions side by side.
    readonly ConcurrentDictionary<string, Configuration> _configurations = [];
    ParseResult? _parsed;
    List<string>? _gathered;
    bool _isAnswered;

    public Option<string?> StoreOption { get; } = new("--store") { Description = "Where the runs live: file:DIR, sqlite:FILE, postgres://…, redis://… or memory:. Default: PAWL_STORE, else file:.checkpoints", HelpName = "URI", Recursive = true };

    public Option<string?> ConfigOption { get; } = new("--config") { Description = "The configuration file; default: pawl.yaml or config/workflow.yaml beside the workflow", HelpName = "FILE", Recursive = true };

    public Cli(Caller caller)
    {
        Caller = caller with { Out = new GuardedOutput(caller.Out), Error = new GuardedOutput(caller.Error) };
        Ink = new Ink(caller.OutIsTerminal && UsesColour(caller));
    }

    public static string Version { get; } = typeof(Cli).Assembly.GetName().Version?.ToString(3) ?? "0";

    public Caller Caller { get; }

    /// <summary>Colours of the people's text.</summary>
    public Ink Ink { get; private set; }

    public bool IsJson { get; private set; }

    /// <summary>One line of JSON for each event, too (<c>--json=stream</c>).</summary>
    public bool IsStream { get; private set; }

    public CancellationToken Stop => Caller.Stop;

    public DateTimeOffset Now => Caller.Time.GetUtcNow();

    /// <summary>What people read: stdout, or stderr when stdout carries JSON.</summary>
    public TextWriter Text => IsJson ? Caller.Error : Caller.Out;

    public bool TextIsTerminal => IsJson ? Caller.ErrorIsTerminal : Caller.OutIsTerminal;

    /// <summary>Parses and runs one command. Every error ends here as one message and an exit code.</summary>
    public static async Task<int> RunAsync(string[] args, Caller caller)
    {
        var cli = new Cli(caller);
        try
        {
            return await cli.Parse(args).RunAsync();
        }
        catch (Exception error) when (caller.Variable("PAWL_DEBUG") != "1")
        {
            try { cli.Tell(error); }
            catch (IOException)
            {
                // Nobody can be told: only the exit code is left.
            }
            return ExitCode.Of(error);
        }
    }

    /// <summary>What the words ask for. A mistake in them is an exception.</summary>
    VerbAction Parse(string[] args)
    {
        List<string> words = [.. args.Select(word => word == "--json=stream" ? JsonStream : word)];
        if (words is [] or ["help", ..]) words = [.. words.Skip(1), "--help"];
        IsStream = words.Contains(JsonStream);
        IsJson = IsStream || words.Contains("--json");
        if (IsJson) Ink = new Ink(Caller.ErrorIsTerminal && UsesColour(Caller));
        _parsed = Root(words).Parse(words, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (Mistake(_parsed, words) is { } mistake) throw new UsageException($"{mistake} See 'pawl {(Verbs.Find(words) is { } verb ? $"{verb} " : "")}--help'.");
        // Without the parser's own pipeline around a verb: its signals, its exceptions and its time are not needed.
        var invocation = new InvocationConfiguration { Output = Caller.Out, Error = Caller.Error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null };
        return _parsed.Action as VerbAction ?? new VerbAction(() => Task.FromResult(_parsed.Invoke(invocation)));
    }

    RootCommand Root(List<string> words)
    {
        var root = new RootCommand("Runs multi-step workflows and keeps a checkpoint behind every step.") { StoreOption, ConfigOption, _json, _stream };
        Verbs.AddTo(root, this, Verbs.Find(words));
        return root;
    }

    /// <summary>What is wrong with the call, or null. The help is given whatever stands beside it.</summary>
    static string? Mistake(ParseResult parsed, List<string> words)
    {
        if (parsed.Action is HelpAction) return null;
        if (Verbs.Find(words) is null && words[0] is [not ('-' or '['), ..] word) return $"'{Human.Line(word, 80)}' is not a verb of pawl.{Nearest.Hint(word, Verbs.Names)}";
        var stray = parsed.CommandResult.Children.OfType<ArgumentResult>().Select(argument => Stray(argument, words)).FirstOrDefault(option => option is not null)
            ?? parsed.UnmatchedTokens.FirstOrDefault(token => token.StartsWith('-'));
        if (stray is not null) return $"There is no option '{Human.Line(stray, 80)}'.{Nearest.Hint(stray, parsed.CommandResult.Command.Options.Select(option => option.Name))}";
        return parsed.Errors.Count > 0 ? parsed.Errors[0].Message : null;
    }

    /// <summary>An unknown option that the parser took for an argument: a typing mistake must not name a file.</summary>
    static string? Stray(ArgumentResult argument, List<string> words) =>
        words.Contains("--") ? null : argument.Tokens.Select(token => token.Value).FirstOrDefault(value => value.Length > 1 && value[0] == '-');

    public T? Get<T>(Option<T> option) => _parsed!.GetValue(option);

    public T? Get<T>(Argument<T> argument) => _parsed!.GetValue(argument);

    /// <summary>Whether the caller wrote the option.</summary>
    public bool Has(Option option) => _parsed!.GetResult(option) is { Implicit: false };

    public StoreChoice Store => field ??= StoreChoice.Of(Get(StoreOption), Caller, Configuration());

    /// <summary>Gets what agents do and say; null streams nothing.</summary>
    public Action<AgentNews>? AgentListener { get; set; }

    /// <summary>There will be an <see cref="AgentListener"/> when runs begin.</summary>
    public bool StreamsAgents { get; set; }

    /// <summary>The workflow file that the command names: the settings for the store are beside it.</summary>
    public string? WorkflowPath { get; set; }

    /// <summary>What the configuration file says; the one beside <paramref name="workflow"/> when no other is named.</summary>
    public Configuration Configuration(string? workflow = null)
    {
        var folder = (workflow ?? WorkflowPath) is { } path ? Path.GetDirectoryName(Caller.FullPath(path))! : Caller.Directory;
        return _configurations.GetOrAdd(folder, beside => ConfigurationFiles.Find(Get(ConfigOption), beside, Caller));
    }

    /// <summary>A command line that a person can paste.</summary>
    public string CommandLine(string verb, params string[] words) =>
        Quote.Line(["pawl", verb, .. words, .. Store.AsOption, .. ConfigurationToName is { } named ? (string[])["--config", named] : []]);

    /// <summary>The configuration file, when another command would not find the same store without its name.</summary>
    string? ConfigurationToName => Get(ConfigOption) ?? (Configuration() is { Store: not null } here && Path.GetDirectoryName(Caller.FullPath(here.Path!)) is var folder
        && folder != Caller.Directory && folder != Path.Combine(Caller.Directory, "config") ? here.Path : null);

    public void Say(string line = "") => Text.WriteLine(line);

    /// <summary>Something went otherwise than asked, and the command goes on.</summary>
    public void Warn(string message) => Caller.Error.WriteLine($"pawl: {message}");

    /// <summary>The answer for programs; nothing without <c>--json</c>.</summary>
    public void Json(Action<Utf8JsonWriter> write)
    {
        if (!IsJson) return;
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping })) write(writer);
        var text = System.Text.Encoding.UTF8.GetString(buffer.WrittenSpan);
        if (_gathered is not null)
        {
            _gathered.Add(text);
            return;
        }
        _isAnswered = true;
        Caller.Out.WriteLine(text);
    }

    /// <summary>Several answers as one document, in a list of this name; a stream has its lines.</summary>
    public async Task<int> JsonListAsync(string name, Func<Task<int>> tell)
    {
        if (IsStream) return await tell();
        var answers = _gathered = [];
        try { return await tell(); }
        catch (Exception)
        {
            // The error is the answer.
            answers = null;
            throw;
        }
        finally
        {
            _gathered = null;
            if (answers is not null)
                Json(w =>
                {
                    w.WriteStartObject();
                    w.WriteStartArray(name);
                    foreach (var answer in answers) w.WriteRawValue(answer, skipInputValidation: true);
                    w.WriteEndArray();
                    w.WriteEndObject();
                });
        }
    }

    /// <summary>The answer when there is none.</summary>
    public void JsonProblem(string? error, string reason, int code, string? runId = null) => Json(w =>
    {
        w.WriteStartObject();
        if (runId is not null) w.WriteString("run_id", runId);
        w.WriteString("error", error);
        w.WriteString("reason", reason);
        w.WriteNumber("exit_code", code);
        w.WriteEndObject();
    });

    void Tell(Exception error)
    {
        var isInterrupted = error is OperationCanceledException;
        if (!isInterrupted) Caller.Error.WriteLine($"pawl: {(ExitCode.Of(error) == ExitCode.Failed && error is not OutputException ? $"{error.Message} ({error.GetType().Name}; PAWL_DEBUG=1 shows where)" : error.Message)}");
        else if (_isAnswered) return;
        JsonProblem(isInterrupted ? "interrupted" : error.Message, ExitCode.Word(error), ExitCode.Of(error));
    }

    static bool UsesColour(Caller caller) => string.IsNullOrEmpty(caller.Variable("NO_COLOR")) && caller.Variable("TERM") != "dumb";
}

using System.Buffers;
using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Text.Encodings.Web;
using System.Text.Json;
using Pawl.Cli.Input;
using Pawl.Cli.View;

namespace Pawl.Cli;

/// <summary>One call of the command: what was asked, and the ways to answer.</summary>
sealed class Cli
{
    const string JsonStream = "--json-stream";

    readonly Option<string?> _store = new("--store") { Description = "Where the runs live: file:DIR or memory:. Default: PAWL_STORE, else file:.checkpoints", HelpName = "URI", Recursive = true };
    readonly Option<bool> _json = new("--json") { Description = "One JSON document on stdout; text for people goes to stderr", Recursive = true };
    readonly Option<bool> _stream = new(JsonStream) { Hidden = true, Recursive = true };
    ParseResult? _parsed;

    public Cli(Caller caller)
    {
        Caller = caller;
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
    public static async Task<int> RunAsync(IReadOnlyList<string> args, Caller caller)
    {
        var cli = new Cli(caller);
        try
        {
            return await cli.InvokeAsync(args);
        }
        catch (Exception error) when (caller.Variable("PAWL_DEBUG") != "1")
        {
            cli.Tell(error);
            return ExitCode.Of(error);
        }
    }

    async Task<int> InvokeAsync(IReadOnlyList<string> args)
    {
        var words = args switch
        {
            ["help", .. var rest] => [.. rest, "--help"],
            [] => (IReadOnlyList<string>)["--help"],
            _ => [.. args.Select(word => word == "--json=stream" ? JsonStream : word)],
        };
        IsStream = words.Contains(JsonStream);
        IsJson = IsStream || words.Contains("--json");
        if (IsJson) Ink = new Ink(Caller.ErrorIsTerminal && UsesColour(Caller));
        _parsed = Root(words).Parse(words, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (_parsed.Errors.Count > 0 && _parsed.Action is ParseErrorAction or null)
            throw new UsageException($"{_parsed.Errors[0].Message}{Suggestion(words)} See 'pawl {(Verbs.Find(words) is { } verb ? $"{verb} " : "")}--help'.");
        var invocation = new InvocationConfiguration { Output = Caller.Out, Error = Caller.Error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null };
        return await _parsed.InvokeAsync(invocation, Stop);
    }

    /// <summary>Only the verb that was named is built: building all of them costs a plain call more than its work.</summary>
    RootCommand Root(IReadOnlyList<string> words)
    {
        var root = new RootCommand("Runs multi-step workflows and keeps a checkpoint behind every step.") { _store, _json, _stream };
        foreach (var verb in Verbs.Build(this, Verbs.Find(words))) root.Add(verb);
        return root;
    }

    static string Suggestion(IReadOnlyList<string> words) =>
        Verbs.Find(words) is null && !words[0].StartsWith('-') ? Nearest.Hint(words[0], Verbs.Names) : "";

    /// <summary>Binds a verb to what it does.</summary>
    public Command On(Command command, Func<Task<int>> action)
    {
        command.SetAction((_, _) => action());
        return command;
    }

    public T? Get<T>(Option<T> option) => _parsed!.GetValue(option);

    public T? Get<T>(Argument<T> argument) => _parsed!.GetValue(argument);

    /// <summary>Whether the caller wrote the option.</summary>
    public bool Has(Option option) => _parsed!.GetResult(option) is { Implicit: false };

    public StoreChoice Store => field ??= StoreChoice.Of(Get(_store), Caller);

    /// <summary>A command line that a person can paste.</summary>
    public string CommandLine(string verb, params string[] words) => Quote.Line(["pawl", verb, .. words, .. Store.AsOption]);

    public void Say(string line = "") => Text.WriteLine(line);

    /// <summary>Something went otherwise than asked, and the command goes on.</summary>
    public void Warn(string message) => Caller.Error.WriteLine($"pawl: {message}");

    /// <summary>The answer for programs; nothing without <c>--json</c>.</summary>
    public void Json(Action<Utf8JsonWriter> write)
    {
        if (!IsJson) return;
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping })) write(writer);
        Caller.Out.WriteLine(System.Text.Encoding.UTF8.GetString(buffer.WrittenSpan));
    }

    void Tell(Exception error)
    {
        if (error is OperationCanceledException) return;
        var message = ExitCode.Of(error) == ExitCode.Failed ? $"{error.Message} ({error.GetType().Name}; PAWL_DEBUG=1 shows where)" : error.Message;
        Caller.Error.WriteLine($"pawl: {message}");
        Json(w =>
        {
            w.WriteStartObject();
            w.WriteString("error", error.Message);
            w.WriteString("reason", ExitCode.Word(error));
            w.WriteNumber("exit_code", ExitCode.Of(error));
            w.WriteEndObject();
        });
    }

    static bool UsesColour(Caller caller) => string.IsNullOrEmpty(caller.Variable("NO_COLOR")) && caller.Variable("TERM") != "dumb";
}

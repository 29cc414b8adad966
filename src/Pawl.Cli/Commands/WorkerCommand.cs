using System.CommandLine;
using System.Net;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Pawl.Cli.Input;
using Pawl.Storage;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl worker</c>: executes what is enqueued, until it is asked to stop.</summary>
static class WorkerCommand
{
    public static Command Create(Cli cli)
    {
        var queues = new Option<string[]>("--queue") { Description = $"A queue to serve, with limits if any: NAME, or NAME:concurrency=4,worker=2,rate=10/1m,fair=KEY; may be repeated; default: {QueueOptions.DefaultName}", HelpName = "QUEUE" };
        var concurrency = new Option<int?>("--concurrency") { Description = "Runs at a time; default: four for each processor", HelpName = "N" };
        var drain = new Option<string?>("--drain") { Description = "How long runs may go on after Ctrl+C or SIGTERM before they are handed over; default 30s", HelpName = "TIME" };
        var health = new Option<int?>("--health-port") { Description = "Answers GET /healthz on this port of the loopback", HelpName = "PORT" };
        return Verbs.On(new Command("worker", "Execute the runs of a queue until asked to stop; what a dead worker left is taken over") { queues, concurrency, drain, health }, async () =>
        {
            if (cli.Get(concurrency) is < 1) throw new UsageException($"--concurrency '{cli.Get(concurrency)}': write a whole number from 1.");
            var options = new WorkerOptions { Definitions = source => Input.Definitions.Parse(source.Text, source.Path, cli), Retention = Input.Retention.Of(null, cli) };
            if (cli.Get(queues) is { Length: > 0 } given) options = options with { Queues = [.. given.Select(QueueText.Parse)] };
            if (cli.Get(concurrency) is { } places) options = options with { Concurrency = places };
            if (cli.Get(drain) is { } time) options = options with { DrainTime = Spans.Parse("--drain", time) };

            await using var client = await cli.Store.OpenAsync(cli.Caller, logging: new PlainLog(cli), live: true);
            var worker = new PawlWorker(client, options);
            using var answering = cli.Get(health) is { } port ? Answer(worker, port) : null;
            await worker.RunAsync(cli.Stop);
            return ExitCode.Done;
        });
    }

    static HttpListener Answer(PawlWorker worker, int port)
    {
        var listener = new HttpListener();
        listener.Prefixes.Add($"http://127.0.0.1:{port}/");
        listener.Start();
        _ = Task.Run(async () =>
        {
            while (listener.IsListening)
            {
                HttpListenerContext call;
                try { call = await listener.GetContextAsync(); }
                catch (Exception error) when (error is HttpListenerException or ObjectDisposedException) { return; }
                var now = worker.Health;
                var known = call.Request.Url?.AbsolutePath == "/healthz";
                call.Response.StatusCode = !known ? 404 : now.Draining || now.LastContact is null ? 503 : 200;
                call.Response.ContentType = "application/json";
                using (var writer = new Utf8JsonWriter(call.Response.OutputStream))
                {
                    writer.WriteStartObject();
                    writer.WriteNumber("running", now.Running.Count);
                    writer.WriteBoolean("draining", now.Draining);
                    if (now.LastContact is { } contact) writer.WriteString("last_contact", contact.UtcDateTime);
                    writer.WriteEndObject();
                }
                call.Response.Close();
            }
        });
        return listener;
    }

    /// <summary>The worker's log: a line for each event, no stack traces.</summary>
    sealed class PlainLog(Cli cli) : ILoggerFactory, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;
        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            cli.Say($"{View.Human.Clock(cli.Now, cli.Caller)} {(logLevel >= LogLevel.Warning ? $"{logLevel.ToString().ToLowerInvariant()}: " : "")}{View.Human.Line(formatter(state, exception), 500)}");

        public void AddProvider(ILoggerProvider provider) { }
        public void Dispose() { }
    }
}

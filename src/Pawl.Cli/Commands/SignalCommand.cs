using System.CommandLine;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl signal RUN NAME [JSON]</c>: sends a signal to a run.</summary>
static class SignalCommand
{
    public static Command Create(Cli cli)
    {
        var run = RunArgument.Required(cli);
        var name = new Argument<string>("NAME") { Description = "The signal" };
        var body = new Argument<string?>("JSON") { Description = "What is sent with it; text that is no JSON is sent as text", Arity = ArgumentArity.ZeroOrOne };
        return Verbs.On(new Command("signal", "Send a signal to a run; one that comes before the run waits for it is kept") { run, name, body }, async () =>
        {
            await using var client = await cli.Store.OpenAsync(cli.Caller);
            var runId = RunArgument.Check(cli.Get(run));
            bool isFirst;
            try { isFirst = await client.SignalAsync(runId, cli.Get(name)!, Value(cli.Get(body)), CancelCommand.By(), cli.Stop); }
            catch (ArgumentException wrong) { throw new UsageException(wrong.Message); }
            cli.Say(isFirst ? $"'{cli.Get(name)}' was sent to {runId}." : $"{runId} had a signal '{cli.Get(name)}' already: the first one counts.");
            await SayWayOnAsync(cli, client, runId);
            cli.Json(w =>
            {
                w.WriteStartObject();
                w.WriteString("run_id", runId);
                w.WriteString("signal", cli.Get(name));
                w.WriteBoolean("first", isFirst);
                w.WriteEndObject();
            });
            return ExitCode.Done;
        });
    }

    /// <summary>A run in a queue wakes by itself; any other is resumed by its user.</summary>
    public static async Task SayWayOnAsync(Cli cli, PawlClient client, string runId)
    {
        if (await client.FindAsync(runId, cli.Stop) is { Status: RunStatus.Waiting, Queue: null }) cli.Say($"Go on with:  {cli.CommandLine("resume", runId)}");
    }

    /// <summary>JSON as it is, anything else as text; null is nothing.</summary>
    public static object? Value(string? text)
    {
        if (text is null) return null;
        try { return RawJson.Parse(text); }
        catch (System.Text.Json.JsonException) { return text; }
    }
}

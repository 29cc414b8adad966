using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Pawl.Cli.Input;
using Pawl.Cli.View;
using Pawl.Storage;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl schedule …</c>: runs that begin by themselves, at times of a cron text.</summary>
static class ScheduleCommand
{
    public static Command Create(Cli cli) => new("schedule", "Run a workflow at set times, by workers: once for each time")
    {
        Add(cli), List(cli),
        Change(cli, "pause", "Stop a schedule until it is resumed; runs that have begun go on", (client, name) => client.PauseScheduleAsync(name, CancelCommand.By(), cli.Stop)),
        Change(cli, "resume", "Go on with a paused schedule; times that have passed count as missed", (client, name) => client.ResumeScheduleAsync(name, CancelCommand.By(), cli.Stop)),
        Trigger(cli), Remove(cli),
    };

    static Command Add(Cli cli)
    {
        var name = new Argument<string>("NAME") { Description = "The schedule's name" };
        var file = new Argument<string?>("FILE") { Description = $"The workflow file; default: {Definitions.DefaultFile}", Arity = ArgumentArity.ZeroOrOne };
        var cron = new Option<string>("--cron") { Description = "Minute, hour, day of month, month, day of week ('0 3 * * MON-FRI'), or @hourly @daily @weekly @monthly @yearly", HelpName = "TEXT", Required = true };
        var zone = new Option<string>("--zone") { Description = "The time zone whose clocks count (Europe/Berlin); default: UTC", HelpName = "ZONE", DefaultValueFactory = _ => "UTC" };
        var missed = new Option<string?>("--missed") { Description = $"What becomes of times when no worker was there: once (one run makes up for all; the default), skip, all (each, at most {Schedule.MostMissed})", HelpName = "once|skip|all" };
        var grace = new Option<string?>("--grace") { Description = "With --missed skip: how late a run may begin; default 1m", HelpName = "TIME" };
        var overlap = new Option<string?>("--overlap") { Description = "What becomes of a run while an earlier one still runs: allow (both run; the default), skip", HelpName = "allow|skip" };
        var queue = new Option<string?>("--queue") { Description = $"The queue of its runs; default: {QueueOptions.DefaultName}", HelpName = "NAME" };
        var priority = new Option<int>("--priority") { Description = "The greatest goes first; default 0", HelpName = "N" };
        var parameters = new Option<string[]>("--param", "-p") { Description = "A param; may be repeated", HelpName = "NAME=VALUE" };
        var paramsFile = new Option<string?>("--params-file") { Description = "A JSON object with params", HelpName = "FILE" };
        return Verbs.On(new Command("add", "Make a schedule, or change the one of this name") { name, file, cron, zone, missed, grace, overlap, queue, priority, parameters, paramsFile }, async () =>
        {
            await using var client = await cli.Store.OpenAsync(cli.Caller);
            var schedule = new Schedule(cli.Get(name)!, Definitions.Load(cli.Get(file), cli), cli.Get(cron)!)
            {
                Zone = cli.Get(zone)!, Queue = cli.Get(queue) ?? QueueOptions.DefaultName, Priority = cli.Get(priority), Params = Params.Read(cli.Get(parameters), cli.Get(paramsFile), cli.Caller),
                Missed = cli.Get(missed) is { } word ? Words.Parse<MissedRuns>("policy of --missed", word) : default,
                Overlap = cli.Get(overlap) is { } beside ? Words.Parse<OverlapPolicy>("policy of --overlap", beside) : default,
            };
            if (cli.Get(grace) is { } time) schedule = schedule with { Grace = Spans.Parse("--grace", time) };
            if (!RunIds.IsValid(schedule.Queue)) throw new UsageException($"--queue '{Human.Line(schedule.Queue, 80)}': use letters, digits and . _ -, at most 128.");
            var state = await client.ScheduleAsync(schedule, cli.Stop);
            cli.Say($"'{state.Name}' runs next at {When(state)}{(state.IsPaused ? ", when it is resumed: it is paused" : "")}. 'pawl worker' executes it.");
            cli.Json(w => Write(w, state));
            return ExitCode.Done;
        });
    }

    static Command List(Cli cli) => Verbs.On(new Command("list", "Every schedule, with its next and its last run"), async () =>
    {
        await using var client = await cli.Store.OpenAsync(cli.Caller);
        var states = await client.SchedulesAsync(cli.Stop);
        if (states.Count == 0) cli.Say($"No schedules in {cli.Store.Uri}. 'pawl schedule add NAME FILE --cron …' makes one.");
        else
        {
            var table = new Table("SCHEDULE", "STATE", "CRON", "ZONE", "NEXT", "LAST RUN");
            foreach (var state in states)
                table.Add(null, state.Name, state.IsPaused ? "paused" : "on", state.Cron, state.Zone, When(state), state.LastRun is { } last ? $"{HeadView.State(last)} {last.RunId}" : "-");
            table.Write(cli);
        }
        cli.Json(w =>
        {
            w.WriteStartObject();
            w.WriteStartArray("schedules");
            foreach (var state in states) Write(w, state);
            w.WriteEndArray();
            w.WriteEndObject();
        });
        return ExitCode.Done;
    });

    static Command Change(Cli cli, string verb, string description, Func<PawlClient, string, Task<ScheduleState>> change)
    {
        var name = Name(cli);
        return Verbs.On(new Command(verb, description) { name }, async () =>
        {
            await using var client = await cli.Store.OpenAsync(cli.Caller);
            var state = await change(client, cli.Get(name)!);
            cli.Say(state.IsPaused ? $"'{state.Name}' is paused. Go on with:  {cli.CommandLine("schedule", "resume", state.Name)}" : $"'{state.Name}' runs next at {When(state)}.");
            cli.Json(w => Write(w, state));
            return ExitCode.Done;
        });
    }

    static Command Trigger(Cli cli)
    {
        var name = Name(cli);
        return Verbs.On(new Command("trigger", "Put a run of a schedule into its queue now; the next time stays") { name }, async () =>
        {
            await using var client = await cli.Store.OpenAsync(cli.Caller);
            var head = await client.TriggerAsync(cli.Get(name)!, CancelCommand.By(), cli.Stop);
            cli.Say($"{head.RunId} is in the queue '{head.Queue}'. 'pawl worker' executes it.");
            cli.Json(w =>
            {
                w.WriteStartObject();
                HeadView.Write(w, head);
                w.WriteEndObject();
            });
            return ExitCode.Done;
        });
    }

    static Command Remove(Cli cli)
    {
        var name = Name(cli);
        return Verbs.On(new Command("remove", "End a schedule; runs that have begun go on") { name }, async () =>
        {
            await using var client = await cli.Store.OpenAsync(cli.Caller);
            if (!await client.UnscheduleAsync(cli.Get(name)!, cli.Stop))
                throw new ScheduleNotFoundException(cli.Get(name)!, (await client.SchedulesAsync(cli.Stop)).Select(state => state.Name));
            cli.Say($"'{cli.Get(name)}' was removed.");
            cli.Json(w =>
            {
                w.WriteStartObject();
                w.WriteString("removed", cli.Get(name));
                w.WriteEndObject();
            });
            return ExitCode.Done;
        });
    }

    static Argument<string> Name(Cli cli)
    {
        var name = new Argument<string>("NAME") { Description = "The schedule", HelpName = "NAME" };
        name.CompletionSources.Add(context => RunArgument.Ask(cli, context, async client => [.. (await client.SchedulesAsync(cli.Stop)).Select(state => state.Name)]));
        return name;
    }

    /// <summary>By the clocks of its zone, and UTC.</summary>
    static string When(ScheduleState state)
    {
        var utc = state.Next.UtcDateTime.ToString("yyyy-MM-dd HH:mm'Z'", CultureInfo.InvariantCulture);
        return state.Zone == "UTC" ? utc : $"{Local(state).ToString("yyyy-MM-dd HH:mm zzz", CultureInfo.InvariantCulture)} ({utc})";
    }

    // A zone that this machine does not know is still a zone of the workers'.
    static DateTimeOffset Local(ScheduleState state) => TimeZoneInfo.TryFindSystemTimeZoneById(state.Zone, out var zone) ? TimeZoneInfo.ConvertTime(state.Next, zone) : state.Next;

    static void Write(Utf8JsonWriter w, ScheduleState state)
    {
        w.WriteStartObject();
        w.WriteString("name", state.Name);
        w.WriteString("cron", state.Cron);
        w.WriteString("zone", state.Zone);
        w.WriteString("missed", Words.Of(state.Missed));
        w.WriteString("overlap", Words.Of(state.Overlap));
        w.WriteBoolean("paused", state.IsPaused);
        w.WriteString("next", Human.Iso(state.Next));
        w.WriteString("next_local", Local(state).ToString("yyyy-MM-dd'T'HH:mm:sszzz", CultureInfo.InvariantCulture));
        Head("next_run", state.NextRun);
        Head("last_run", state.LastRun);
        w.WriteEndObject();

        void Head(string member, RunHead? head)
        {
            w.WritePropertyName(member);
            if (head is null)
            {
                w.WriteNullValue();
                return;
            }
            w.WriteStartObject();
            HeadView.Write(w, head);
            w.WriteEndObject();
        }
    }
}

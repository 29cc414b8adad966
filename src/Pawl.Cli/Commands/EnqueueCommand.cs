using System.CommandLine;
using Pawl.Cli.Input;
using Pawl.Cli.View;
using Pawl.Storage;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl enqueue FILE</c>: puts a run into a queue; the definition travels with it.</summary>
static class EnqueueCommand
{
    public static Command Create(Cli cli)
    {
        var file = new Argument<string?>("FILE") { Description = $"The workflow file; default: {Definitions.DefaultFile}", Arity = ArgumentArity.ZeroOrOne };
        var parameters = new Option<string[]>("--param", "-p") { Description = "A param; may be repeated", HelpName = "NAME=VALUE" };
        var paramsFile = new Option<string?>("--params-file") { Description = "A JSON object with params", HelpName = "FILE" };
        var runId = new Option<string?>("--run-id") { Description = "The run's id: the same id is enqueued once", HelpName = "ID" };
        var queue = new Option<string?>("--queue") { Description = $"The queue; default: {QueueOptions.DefaultName}", HelpName = "NAME" };
        var priority = new Option<int>("--priority") { Description = "The greatest goes first; default 0", HelpName = "N" };
        var delay = new Option<string?>("--delay") { Description = "Not before this time has passed (30s, 2h)", HelpName = "TIME" };
        var partition = new Option<string[]>("--partition") { Description = "What part of the data the run works on; may be repeated", HelpName = "NAME=VALUE" };
        var tags = new Option<string[]>("--tag") { Description = "A word to find the run by; may be repeated", HelpName = "NAME=VALUE" };
        return Verbs.On(new Command("enqueue", "Put a run into a queue, for a worker to execute") { file, parameters, paramsFile, runId, queue, priority, delay, partition, tags }, async () =>
        {
            var workflow = Definitions.Load(cli.Get(file), cli);
            var enqueue = new EnqueueOptions
            {
                Queue = cli.Get(queue) ?? QueueOptions.DefaultName, Priority = cli.Get(priority),
                Delay = cli.Get(delay) is { } time ? Spans.Parse("--delay", time) : TimeSpan.Zero,
            };
            if (!RunIds.IsValid(enqueue.Queue)) throw new UsageException($"--queue '{Human.Line(enqueue.Queue, 80)}': use letters, digits and . _ -, at most 128.");
            var start = new StartOptions { RunId = cli.Get(runId) is { } id ? RunArgument.Check(id) : null, Partition = Params.Labels("--partition", cli.Get(partition)), Tags = Params.Labels("--tag", cli.Get(tags)) };
            await using var client = await cli.Store.OpenAsync(cli.Caller);
            var head = await client.EnqueueAsync(workflow, Params.Read(cli.Get(parameters), cli.Get(paramsFile), cli.Caller), enqueue, start, cli.Stop);
            cli.Say($"{head.RunId} is in the queue '{head.Queue}' ({HeadView.State(head)}). 'pawl worker' executes it; 'pawl status {head.RunId}' shows it.");
            cli.Json(w =>
            {
                w.WriteStartObject();
                HeadView.Write(w, head);
                w.WriteEndObject();
            });
            return ExitCode.Done;
        });
    }
}

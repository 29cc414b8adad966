using Pawl.Storage;
using Pawl.Testing;

namespace Pawl.Tests.Engine;

/// <summary>A store, a virtual clock, and a record of what was executed.</summary>
sealed class Lab
{
    public static CancellationToken Token => TestContext.Current.CancellationToken;

    public Lab(ICheckpointStore? store = null, VirtualTime? time = null)
    {
        Time = time ?? new VirtualTime();
        Store = store ?? new MemoryStore(Time);
        Options = new PawlOptions { Time = Time };
    }

    public VirtualTime Time { get; }
    public ICheckpointStore Store { get; }
    public PawlOptions Options { get; }
    public PawlClient Client => new(Store, Options);
    public List<RunEvent> Events { get; } = [];

    /// <summary>Paths of attempts that began, in order.</summary>
    public List<string> Began { get; } = [];

    public IEnumerable<string> Warnings => Events.OfType<RunEvent.Warning>().Select(warning => warning.Message);

    public static T Do<T>(Func<Lab, Task<T>> code)
    {
        var lab = new Lab();
        return lab.Time.Run(() => code(lab));
    }

    public static void Do(Func<Lab, Task> code)
    {
        var lab = new Lab();
        lab.Time.Run(() => code(lab));
    }

    public Task<RunResult> Run(Workflow workflow, object? parameters = null, StartOptions? start = null, CancellationTokenSource? interrupt = null) =>
        Client.RunAsync(workflow, Values(parameters), (start ?? new()) with { RunId = start?.RunId ?? "run", OnEvent = Record }, Either(interrupt));

    public Task<RunResult> Resume(Workflow workflow, ResumeOptions? resume = null, string? runId = "run", CancellationTokenSource? interrupt = null) =>
        Client.ResumeAsync(workflow, runId, (resume ?? new()) with { OnEvent = Record }, Either(interrupt));

    public async Task<RefusalReason> Refused(Workflow workflow, ResumeOptions? resume = null, string runId = "run") =>
        (await Assert.ThrowsAsync<ResumeRefusedException>(() => Resume(workflow, resume, runId))).Refusal.Reason;

    public Task<IReadOnlyList<Checkpoint>> Journal(string runId = "run") => Client.HistoryAsync(runId, Token);

    public async Task<List<Checkpoint>> Records(string path, string runId = "run") => [.. (await Journal(runId)).Where(record => record.Kind == CheckpointKind.Step && record.Path == path)];

    public async Task<RunHead> Head(string runId = "run") => await Client.FindAsync(runId, Token) ?? throw new RunNotFoundException(runId);

    /// <summary>The head of a run when it has ended, or when the time is over.</summary>
    public async Task<RunHead> Ended(string run = "run", double seconds = 600)
    {
        for (var waited = 0.0; waited < seconds; waited += 0.05)
        {
            var head = await Head(run);
            if (head.Status is RunStatus.Completed or RunStatus.Failed or RunStatus.Canceled) return head;
            await Delay(0.05);
        }
        return await Head(run);
    }

    public Task Delay(double seconds, CancellationToken token = default) => Task.Delay(TimeSpan.FromSeconds(seconds), Time, token);

    public static IReadOnlyDictionary<string, object?>? Values(object? values) =>
        values as IReadOnlyDictionary<string, object?> ?? values?.GetType().GetProperties().ToDictionary(property => property.Name, property => property.GetValue(values));

    static CancellationToken Either(CancellationTokenSource? interrupt) => interrupt?.Token ?? Token;

    void Record(RunEvent happened)
    {
        Events.Add(happened);
        if (happened is RunEvent.StepStarted began) Began.Add(began.Path);
    }
}

static class LabExtensions
{
    public static Task Delay(this StepContext ctx, double seconds) => Task.Delay(TimeSpan.FromSeconds(seconds), ctx.Time, ctx.CancellationToken);

    /// <summary>A step that takes some seconds and returns its path.</summary>
    public static StepRef<string> Work(this WorkflowBuilder builder, string id, double seconds = 0.1, Action<StepBuilder>? configure = null) =>
        builder.Step(id, async ctx =>
        {
            await ctx.Delay(seconds);
            return ctx.Path;
        }, configure);

    /// <summary>A step that fails until told otherwise.</summary>
    public static StepRef<string> Fail(this WorkflowBuilder builder, string id, Func<bool> fails, Action<StepBuilder>? configure = null) =>
        builder.Step(id, async ctx =>
        {
            await ctx.Delay(0.1);
            return fails() ? throw new IOException($"{id} broke") : ctx.Path;
        }, configure);
}

static class BuilderExtensions
{
    /// <summary>Goes on with the same builder.</summary>
    public static WorkflowBuilder Also(this WorkflowBuilder builder, Action<WorkflowBuilder> add)
    {
        add(builder);
        return builder;
    }
}

using System.Net;
using System.Reflection;
using System.Text;
using System.Text.Json;
using Pawl.Storage;

namespace Pawl.Dashboard.Tests;

/// <summary>What is left when something that was asked for could not be done, or was done to one of several that belong together.</summary>
public sealed class AfterLaws
{
    [Fact]
    public async Task An_answer_to_a_child_run_makes_the_run_that_waits_for_it_go_on()
    {
        var builder = Workflow.Create("parent");
        builder.Child("inner", Lab.Pipeline);
        var parent = builder.Build();
        await using var lab = await Lab.StartAsync(more: parent);
        await lab.Client.RunAsync(parent, null, new StartOptions { RunId = "mother" }, Lab.Stop);
        await lab.DoAsync("runs/mother.inner/decide", """{"step":"gate","approve":true}""");
        await lab.UntilAsync("mother", head => head.Status == RunStatus.Completed);
        Assert.Equal(RunStatus.Completed, (await lab.Client.FindAsync("mother.inner", Lab.Stop))!.Status);
    }

    [Fact]
    public async Task A_repetition_keeps_the_tags_and_the_partition()
    {
        await using var lab = await Lab.StartAsync();
        await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = "r", Tags = new Dictionary<string, string> { ["team"] = "docs", ["schedule"] = "nightly" }, Partition = new Dictionary<string, string> { ["date"] = "2026-01-10" } }, Lab.Stop);
        var id = (await lab.DoAsync("runs/r/rerun")).GetProperty("run_id").GetString()!;
        var head = await lab.UntilAsync(id, head => head.Status == RunStatus.Waiting);
        Assert.Equal(["rerun_of=r", "team=docs"], head.Tags.Select(tag => $"{tag.Key}={tag.Value}").Order());
        Assert.Equal("2026-01-10", head.Partition["date"]);
    }

    [Fact]
    public async Task A_fork_that_cannot_go_on_is_taken_back()
    {
        var builder = Workflow.Create("push").Param(new WorkflowParam("token", "secret", Required: true));
        builder.Step("push", _ => throw new InvalidOperationException("The line is cut."));
        var push = builder.Build();
        await using var lab = await Lab.StartAsync(more: push);
        await lab.Client.RunAsync(push, new Dictionary<string, object?> { ["token"] = "hunter2" }, new StartOptions { RunId = "r" }, Lab.Stop);
        using var alone = await lab.PostAsync("runs/r/fork", "{}");
        Assert.Equal(HttpStatusCode.UnprocessableEntity, alone.StatusCode);
        using var many = await lab.PostAsync("bulk", """{"action":"fork","runs":["r"],"dry_run":false}""");
        Assert.Contains("token", JsonElement.Parse(await many.Content.ReadAsStringAsync(Lab.Stop)).GetProperty("refused").GetString(), StringComparison.Ordinal);
        Assert.Equal("r", (await lab.Client.ListAsync(cancellationToken: Lab.Stop).SingleAsync(Lab.Stop)).RunId);
    }

    [Fact]
    public async Task A_damaged_run_keeps_nothing_from_the_others_and_can_be_removed()
    {
        await using var lab = await Lab.StartAsync("file");
        foreach (var id in new[] { "bad", "good", "worse" }) await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = id }, Lab.Stop);
        foreach (var id in new[] { "bad", "worse" })
        {
            var journal = Directory.EnumerateFiles(Path.Combine(lab.Client.Store.Info.Uri["file:".Length..], id), "journal.jsonl", SearchOption.AllDirectories).Single();
            var text = await File.ReadAllTextAsync(journal, Lab.Stop);
            await File.WriteAllTextAsync(journal, text.Replace("\"load\"", "\"lead\"", StringComparison.Ordinal), Lab.Stop);
        }
        Assert.Equal(3, (await lab.DoAsync("bulk", """{"action":"cancel","runs":["bad","good","worse"]}""")).GetProperty("items").GetArrayLength());
        var done = await DoneAsync("cancel", "bad", "good");
        Assert.Contains("bad", done["bad"].GetProperty("refused").GetString(), StringComparison.Ordinal);
        Assert.Equal("canceled", done["good"].GetProperty("does").GetString());
        Assert.Equal(["removed", "removed"], (await DoneAsync("delete", "bad", "good")).Values.Select(item => item.GetProperty("does").GetString()));
        await lab.DoAsync("runs/worse/delete");
        Assert.Empty(await lab.Client.ListAsync(new RunQuery { Workflow = "pipeline" }, Lab.Stop).ToListAsync(Lab.Stop));

        async Task<Dictionary<string, JsonElement>> DoneAsync(string action, params string[] runs)
        {
            using var answer = await lab.PostAsync("bulk", $$"""{"action":"{{action}}","runs":{{JsonSerializer.Serialize(runs)}},"dry_run":false}""");
            return (await answer.Content.ReadAsStringAsync(Lab.Stop)).TrimEnd().Split('\n').Select(line => JsonElement.Parse(line)).ToDictionary(item => item.GetProperty("run_id").GetString()!);
        }
    }

    [Fact]
    public async Task A_removal_that_was_stopped_is_finished_by_nobody()
    {
        HeldRemovals held = null!;
        await using var lab = await Lab.StartAsync(around: store => (ICheckpointStore)(object)(held = HeldRemovals.Around(store)));
        foreach (var id in new[] { "a", "b" }) await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = id }, Lab.Stop);
        using var stop = new CancellationTokenSource();
        var asked = lab.Http.PostAsync("bulk", new StringContent("""{"action":"delete","runs":["a","b"],"dry_run":false}""", Encoding.UTF8, "application/json"), stop.Token);
        await held.Begun.Task;
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);
        var record = await lab.Client.ListAsync(new RunQuery { Workflow = "pawl-removal" }, Lab.Stop).SingleAsync(Lab.Stop);
        await lab.UntilAsync(record.RunId, head => head.Status == RunStatus.Canceled);
        Assert.NotNull(await lab.Client.FindAsync("b", Lab.Stop));
    }

    /// <summary>A store that removes nothing as long as somebody waits for it.</summary>
    public class HeldRemovals : DispatchProxy
    {
        ICheckpointStore _inner = null!;

        public TaskCompletionSource Begun { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public static HeldRemovals Around(ICheckpointStore inner)
        {
            var proxy = (HeldRemovals)(object)Create<ICheckpointStore, HeldRemovals>();
            proxy._inner = inner;
            return proxy;
        }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) =>
            targetMethod!.Name == nameof(ICheckpointStore.DeleteAsync) ? new ValueTask<bool>(RemoveAsync((CancellationToken)args![1]!)) : targetMethod.Invoke(_inner, args);

        async Task<bool> RemoveAsync(CancellationToken stop)
        {
            Begun.TrySetResult();
            await Task.Delay(Timeout.Infinite, stop);
            return false;
        }
    }
}

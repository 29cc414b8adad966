using Pawl.Storage;

namespace Pawl.Tests.Engine;

/// <summary>Who did what to a run, out of its journal and its messages.</summary>
public class ActLaws
{
    static Workflow Asking(bool fails = false)
    {
        var builder = Workflow.Create("w").Param("who", "world");
        builder.Work("a", 10);
        builder.Fail("b", () => fails);
        builder.Step("ask", context => context.RequestApprovalAsync(new ApprovalRequest("Go on?")));
        builder.Step("again", context => context.RequestApprovalAsync(new ApprovalRequest("Sure?")));
        builder.Step("hear", context => context.WaitForSignalAsync("word"));
        return builder.Build();
    }

    static async Task<string[]> Acts(Lab lab, string run = "run") => [.. (await lab.Client.ActsAsync(run, Lab.Token)).Select(act => $"{act.By}: {act.What}{(act.Detail is null ? "" : $" {act.Detail}")}{(act.Reason is null ? "" : $", {act.Reason}")}")];

    [Fact]
    public void Each_act_is_told_with_who_did_it_and_what_the_engine_did_by_itself_is_not() => Lab.Do(async lab =>
    {
        var run = lab.Run(Asking(fails: true), new { who = "moon" }, new StartOptions { By = "ann" });
        await lab.Delay(5);
        await lab.Client.PauseAsync("run", "bob", cancellationToken: Lab.Token);
        await run;
        await lab.Resume(Asking(fails: true), new ResumeOptions { By = "cid", Params = new Dictionary<string, object?> { ["who"] = "sun" } });
        await lab.Resume(Asking(), new ResumeOptions { By = "dan" });
        await lab.Client.RejectAsync("run", "ask", "eve", "not yet", Lab.Token);
        await lab.Resume(Asking());
        await lab.Client.ApproveAsync("run", "again", "fay", changes: new { day = 1 }, cancellationToken: Lab.Token);
        await lab.Resume(Asking());
        await lab.Client.SignalAsync("run", "word", 1, "gus", Lab.Token);
        await lab.Client.CancelAsync("run", "hal", cancellationToken: Lab.Token);
        Assert.Equal(["ann: started with who", "bob: paused", "cid: resumed other params who", "dan: resumed", "eve: rejected ask/approval, not yet", "fay: approved again/approval, with changes", "gus: signaled word", "hal: canceled"],
            await Acts(lab));
    });

    [Fact]
    public void A_live_pass_records_who_stopped_it() => Lab.Do(async lab =>
    {
        var run = lab.Run(Asking());
        await lab.Delay(5);
        var head = await lab.Client.CancelAsync("run", "ann", cancellationToken: Lab.Token);
        await run;
        Assert.Equal("canceled by ann", head.Error);
        Assert.Equal("ann: canceled", (await Acts(lab))[^1]);
    });

    [Fact]
    public void A_request_that_was_not_heard_is_told_as_one() => Lab.Do(async lab =>
    {
        await lab.Run(Asking(), start: new StartOptions { By = "ann" });
        await lab.Store.PostAsync("run", new RunMessage(RunMessage.Pause(7), null, lab.Time.GetUtcNow(), "bob"), Lab.Token);
        Assert.Equal(["ann: started", "bob: asked_to_pause"], await Acts(lab));
    });

    [Fact]
    public void A_fork_has_its_own_acts_and_not_those_of_its_parents() => Lab.Do(async lab =>
    {
        await lab.Run(Asking(fails: true), start: new StartOptions { By = "ann" });
        await lab.Resume(Asking(fails: true), new ResumeOptions { By = "bob" });
        await lab.Client.ForkAsync("run", new ForkOptions { RunId = "f1", By = "cid", Params = new Dictionary<string, object?> { ["who"] = "sun" }, Outputs = new Dictionary<string, object?> { ["a"] = "x" } }, Lab.Token);
        await lab.Client.ForkAsync("f1", new ForkOptions { RunId = "f2", By = "dan", State = new Dictionary<string, object?> { ["k"] = 1 } }, Lab.Token);
        Assert.StartsWith("cid: forked from run@", Assert.Single(await Acts(lab, "f1")), StringComparison.Ordinal);
        Assert.EndsWith(", with other params who, outputs of a", (await Acts(lab, "f1"))[0], StringComparison.Ordinal);
        Assert.Matches("^dan: forked from f1@[0-9]+, with other state$", Assert.Single(await Acts(lab, "f2")));
    });

    [Fact]
    public void What_is_enqueued_put_back_or_triggered_tells_who_did_it() => Lab.Do(async lab =>
    {
        await lab.Client.EnqueueAsync(Asking(), null, new EnqueueOptions { Queue = "q" }, new StartOptions { RunId = "run", By = "ann" }, Lab.Token);
        await lab.Client.PauseAsync("run", "bob", cancellationToken: Lab.Token);
        await lab.Client.RequeueAsync("run", "cid", Lab.Token);
        Assert.Equal(["ann: enqueued in q", "bob: paused", "cid: requeued"], await Acts(lab));
        await lab.Client.ScheduleAsync(new Schedule("nightly", Asking(), "0 3 * * *"), Lab.Token);
        var next = (await lab.Client.SchedulesAsync(Lab.Token))[0].NextRun.RunId;
        Assert.Empty(await Acts(lab, next));
        await lab.Client.PauseScheduleAsync("nightly", "dan", Lab.Token);
        await lab.Client.ResumeScheduleAsync("nightly", "eve", Lab.Token);
        Assert.Equal(["dan: paused", "eve: requeued"], await Acts(lab, next));
        Assert.Equal(["fay: enqueued in default"], await Acts(lab, (await lab.Client.TriggerAsync("nightly", "fay", Lab.Token)).RunId));
    });
}

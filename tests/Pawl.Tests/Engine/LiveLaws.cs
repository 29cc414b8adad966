namespace Pawl.Tests.Engine;

/// <summary>What steps say while they run.</summary>
public sealed class LiveLaws : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("pawl-live-").FullName;

    Lab Looking()
    {
        var lab = new Lab();
        lab.Options.LiveFolder = _folder;
        return lab;
    }

    static Workflow Saying(Action<StepContext> say)
    {
        var builder = Workflow.Create("w");
        builder.Step("a", _ => 1);
        builder.Step("b", async context =>
        {
            say(context);
            await context.Delay(10);
        });
        builder.Work("c");
        return builder.Build();
    }

    [Fact]
    public void It_is_there_while_the_pass_runs_and_goes_with_it() => Run(async lab =>
    {
        var run = lab.Run(Saying(context => context.Write("hello")));
        await lab.Delay(5);
        var news = await lab.Client.LiveAsync(await lab.Head(), null, Lab.Token);
        Assert.Equal(["a begins 1", "a ends", "b begins 1", "b says hello"], news.Lines.Select(Told));
        Assert.Empty((await lab.Client.LiveAsync(await lab.Head(), news.Place, Lab.Token)).Lines);
        Assert.Equal(4, (await lab.Client.LiveAsync(await lab.Head(), "9.9.9", Lab.Token)).Lines.Count);
        await run;
        Assert.Empty((await lab.Client.LiveAsync(await lab.Head(), null, Lab.Token)).Lines);
        Assert.Empty(Directory.GetFiles(_folder));
    });

    [Fact]
    public void Of_much_that_is_said_the_newest_is_kept_and_the_gap_is_told() => Run(async lab =>
    {
        var run = lab.Run(Saying(context =>
        {
            for (var i = 0; i < 40_000; i++) context.Write($"line {i} {new string('x', 80)}");
        }));
        await lab.Delay(5);
        var news = await lab.Client.LiveAsync(await lab.Head(), null, Lab.Token);
        Assert.True(news.HasGap);
        Assert.Equal(("b", 1), (news.Lines[0].Step, news.Lines[0].Attempt));
        Assert.StartsWith("line 39999 ", news.Lines[^1].Text, StringComparison.Ordinal);
        Assert.InRange(Directory.GetFiles(_folder).Sum(file => new FileInfo(file).Length), 1, 1024 * 1024);
        await run;
    });

    [Fact]
    public void What_a_killed_pass_left_is_not_heard_and_goes_with_the_next_one() => Run(async lab =>
    {
        var run = lab.Run(Saying(context => context.Write("first")));
        await lab.Delay(5);
        var file = Directory.GetFiles(_folder).Single();
        // As a process that is killed leaves it: the file stays, and bears the token of its pass.
        var left = File.ReadAllBytes(file);
        await lab.Client.PauseAsync("run", cancellationToken: Lab.Token);
        await run;
        File.Create(file).Dispose();
        using (var again = new FileStream(file, FileMode.Truncate, FileAccess.Write)) again.Write(left);
        var resumed = lab.Resume(Saying(context => context.Write("second")), new ResumeOptions { From = "b" });
        await lab.Delay(5);
        Assert.Equal(["b begins 2", "b says second"], (await lab.Client.LiveAsync(await lab.Head(), null, Lab.Token)).Lines.Select(Told));
        Assert.Single(Directory.GetFiles(_folder));
        await resumed;
        Assert.Empty(Directory.GetFiles(_folder));
    });

    [Fact]
    public void A_folder_that_is_gone_fails_no_run() => Run(async lab =>
    {
        lab.Options.LiveFolder = Path.Combine(_folder, "none");
        Assert.Equal(RunStatus.Completed, (await lab.Run(Saying(context => context.Write("hello")))).Status);
    });

    static string Told(LiveLine line) => $"{line.Step} {(line.Attempt is { } attempt ? $"begins {attempt}" : line.HasEnded ? "ends" : $"says {line.Text}")}";

    void Run(Func<Lab, Task> code)
    {
        var lab = Looking();
        lab.Time.Run(() => code(lab));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}

namespace Pawl.Tests.Cli;

/// <summary>The configuration file as the command finds and obeys it.</summary>
public sealed class ConfigurationLaws : IDisposable
{
    readonly CommandLab _lab = new();

    public void Dispose() => _lab.Dispose();

    [Theory]
    [InlineData("pawl.yaml")]
    [InlineData("config/workflow.yaml")]
    public async Task It_is_found_beside_the_workflow_and_in_the_current_folder(string name)
    {
        _lab.WithThreeGoodSteps().Write(name, "workflow: { checkpointing: { storage_path: ./elsewhere } }");
        Assert.Equal(0, (await _lab.RunAsync("run", "--run-id", "r")).Code);
        Assert.True(Directory.Exists(_lab.Path_("elsewhere/r")));
        Assert.False(Directory.Exists(_lab.Checkpoints));
        Assert.Equal("completed", (await _lab.RunAsync("status", "r", "--json")).Json.GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_workflow_that_is_called_like_the_configuration_is_none()
    {
        _lab.WithThreeGoodSteps().Write("config/workflow.yaml", "name: another\nsteps:\n  - { id: a, run: x }");
        Assert.Equal(0, (await _lab.RunAsync("run")).Code);
    }

    [Fact]
    public async Task The_way_on_that_is_printed_names_what_another_command_would_not_find()
    {
        _lab.Write("sub/pawl.yaml", "workflow: { checkpointing: { storage_type: sqlite, storage_path: runs.db } }");
        _lab.Write("sub/fails.yaml", "name: fails\nsteps: [{ id: a, run: test -f ok }]");
        var failed = await _lab.RunAsync("run", "sub/fails.yaml", "--run-id", "r");
        Assert.Equal(1, failed.Code);
        Assert.Contains("Go on with:  pawl resume r --config sub/pawl.yaml", failed.Out, StringComparison.Ordinal);
        _lab.Write("ok", "");
        Assert.Equal(2, (await _lab.RunAsync("resume", "r")).Code);
        Assert.Equal(0, (await _lab.RunAsync("resume", "r", "--config", "sub/pawl.yaml")).Code);
        Assert.True(File.Exists(_lab.Path_("runs.db")));
    }

    [Fact]
    public async Task An_option_or_a_variable_stands_over_it()
    {
        _lab.WithThreeGoodSteps().Write("pawl.yaml", "workflow: { checkpointing: { storage_path: ./elsewhere } }");
        await _lab.RunAsync("run", "--run-id", "r", "--store", "file:by-option");
        _lab["PAWL_STORE"] = "file:by-variable";
        await _lab.RunAsync("run", "--run-id", "r");
        Assert.True(Directory.Exists(_lab.Path_("by-option/r")) && Directory.Exists(_lab.Path_("by-variable/r")));
        Assert.False(Directory.Exists(_lab.Path_("elsewhere")));
    }

    [Fact]
    public async Task Switched_off_it_keeps_nothing()
    {
        _lab.WithThreeGoodSteps().Write("pawl.yaml", "workflow: { checkpointing: { enabled: false } }");
        var answer = await _lab.RunAsync("run");
        Assert.Equal(0, answer.Code);
        Assert.Contains("Checkpoints are off", answer.Out, StringComparison.Ordinal);
        Assert.Empty(Directory.Exists(_lab.Checkpoints) ? Directory.GetDirectories(_lab.Checkpoints, "three*") : []);
    }

    [Fact]
    public async Task Old_runs_go_after_as_many_days_as_it_says()
    {
        await _lab.CompletedRunAsync();
        _lab.Write("pawl.yaml", "workflow: { checkpointing: { cleanup_after_days: 0 } }");
        Assert.Equal(0, (await _lab.RunAsync("run", "--run-id", "second")).Code);
        Assert.Empty((await _lab.RunAsync("list", "--json")).Json.GetProperty("runs").EnumerateArray());
    }

    [Fact]
    public async Task Approvals_of_steps_follow_its_rules()
    {
        _lab.Write("workflow.yaml", "name: asks\nsteps: [{ id: ask, approval: { message: Go, operation: web_search } }]");
        Assert.Equal(4, (await _lab.RunAsync("run")).Code);
        _lab.Write("pawl.yaml", "workflow: { human_in_the_loop: { trusted_operations: [web_search] } }");
        Assert.Equal(0, (await _lab.RunAsync("run")).Code);
    }

    [Theory]
    [InlineData("workflow: { checkpointing: { storage_type: redis } }", "the address of the Redis server")]
    [InlineData("workflow:\n  max_stall: 3", "pawl.yaml:2:3")]
    public async Task What_is_wrong_in_it_is_told_before_anything_runs(string text, string told)
    {
        _lab.WithThreeGoodSteps().Write("pawl.yaml", text);
        var answer = await _lab.RunAsync("run");
        Assert.Equal(2, answer.Code);
        Assert.Contains(told, answer.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_lab.Checkpoints));
        Assert.Equal(2, (await _lab.RunAsync("run", "--config", "nothing.yaml")).Code);
    }

    sealed class Hurried : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            base.CreateTimer(callback, state, dueTime > TimeSpan.FromSeconds(1) && dueTime < TimeSpan.FromMinutes(1) ? dueTime / 100 : dueTime, period);
    }

    [Fact]
    public async Task A_run_that_failed_goes_on_by_itself_behind_a_resume_too()
    {
        _lab.Write("workflow.yaml", "name: again\nsteps: [{ id: a, run: echo x >> tries; test $(wc -l < tries) -ge 3 }]");
        Assert.Equal(1, (await _lab.RunAsync("run", "--run-id", "r")).Code);
        _lab.Write("pawl.yaml", "workflow: { checkpointing: { auto_resume_on_failure: true } }");
        _lab.Time = new Hurried();
        var answer = await _lab.RunAsync("resume", "r");
        Assert.True(answer.Code == 0, answer.All);
        Assert.Contains("goes on by itself in 5 s: automatic resume 1 of 3", answer.All, StringComparison.Ordinal);
        Assert.Equal(3, File.ReadAllLines(_lab.Path_("tries")).Length);
    }
}

using System.Text;

namespace Pawl.Tests.Engine;

/// <summary>Params: precedence, types, overrides, secrets.</summary>
public class ParamLaws
{
    static Workflow Of(Action<WorkflowBuilder> declare, Func<StepContext, string> body, Func<bool>? fails = null)
    {
        var builder = Workflow.Create("w");
        declare(builder);
        builder.Step("a", body);
        builder.Fail("end", fails ?? (() => false));
        return builder.Build();
    }

    [Fact]
    public void Defaults_yield_to_the_start_and_the_start_to_overrides_on_resume() => Lab.Do(async lab =>
    {
        var (broken, seen) = (true, "");
        var builder = Workflow.Create("w").Param("x", 1).Param("y", 1).Param("z", 1);
        builder.Fail("a", () => broken);
        builder.Step("b", ctx => seen = $"{ctx.Params.Get<int>("x")} {ctx.Params.Get<int>("y")} {ctx.Params.Get<int>("z")}");
        var workflow = builder.Build();
        await lab.Run(workflow, new { y = 2, z = 2 });
        broken = false;
        await lab.Resume(workflow, new ResumeOptions { Params = new Dictionary<string, object?> { ["z"] = 3 } });
        Assert.Equal("1 2 3", seen);
    });

    [Fact]
    public void An_override_is_recorded_beside_the_original_and_stays_for_later_resumes() => Lab.Do(async lab =>
    {
        var fails = true;
        var workflow = Of(builder => builder.Param("x", 0), ctx => "", () => fails);
        await lab.Run(workflow, new { x = 1 });
        await lab.Resume(workflow, new ResumeOptions { Params = new Dictionary<string, object?> { ["x"] = 2 } });
        fails = false;
        await lab.Resume(workflow);
        Assert.Equal("2", (await lab.Client.ParamsAsync("run", Lab.Token))["x"].ToString());
        Assert.Equal("1", (await lab.Client.SnapshotAsync("run", 1, Lab.Token)).Params["x"].ToString());
    });

    [Fact]
    public void Text_from_a_command_line_fits_its_declared_type() => Lab.Do(async lab =>
    {
        var workflow = Of(builder => builder.Param("n", 0).Param("b", false).Param(new WorkflowParam("l", "list")).Param("s", ""),
            ctx => $"{ctx.Params.Get<int>("n")} {ctx.Params.Get<bool>("b")} {ctx.Params.Get<int[]>("l").Length} {ctx.Params.Get<string>("s")}");
        Assert.Equal("3 True 2 4", (await lab.Run(workflow, new { n = "3", b = "true", l = "[1,2]", s = "4" })).Output<string>("a"));
    });

    public static TheoryData<string, WorkflowParam, object?> Wrong => new()
    {
        { "must be of type integer; \"x\" is not", new("p", "integer"), "x" },
        { "must be of type integer; 1.5 is not", new("p", "integer"), 1.5 },
        { "must be of type boolean", new("p", "boolean"), 1 },
        { "must be of type list", new("p", "list"), "a" },
        { "must be of type object", new("p", "object"), new[] { 1 } },
        { "must be one of red, blue", new("p") { Allowed = ["red", "blue"] }, "green" },
        { "'p' is required", new("p", Required: true), null },
        { "the environment variable NO_SUCH_VARIABLE", new("p", "secret", Required: true) { EnvironmentVariable = "NO_SUCH_VARIABLE" }, null },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void A_wrong_param_is_refused_before_the_run_exists(string says, WorkflowParam param, object? value) => Lab.Do(async lab =>
    {
        var given = value is null ? null : new Dictionary<string, object?> { ["p"] = value };
        var error = await Assert.ThrowsAsync<InvalidDefinitionException>(async () => await lab.Run(Of(builder => builder.Param(param), _ => ""), given));
        Assert.Contains(says, error.Message);
        Assert.Null(await lab.Client.FindAsync("run", Lab.Token));
    });

    [Fact]
    public void An_unknown_param_is_refused_with_the_nearest_known_one() => Lab.Do(async lab =>
    {
        var error = await Assert.ThrowsAsync<InvalidDefinitionException>(async () => await lab.Run(Of(builder => builder.Param("scope", "all"), _ => ""), new { scop = "x" }));
        Assert.Contains("Did you mean 'scope'?", error.Message);
    });

    [Fact]
    public void A_wrong_override_is_refused_and_the_run_left_as_it_was() => Lab.Do(async lab =>
    {
        var workflow = Of(builder => builder.Param("n", 0), _ => "", () => true);
        await lab.Run(workflow);
        var before = (await lab.Journal()).Count;
        await Assert.ThrowsAsync<InvalidDefinitionException>(async () => await lab.Resume(workflow, new ResumeOptions { Params = new Dictionary<string, object?> { ["n"] = "x" } }));
        Assert.Equal(before, (await lab.Journal()).Count);
        Assert.Null((await lab.Head()).Owner);
    });

    [Fact]
    public void A_secret_reaches_its_steps_and_never_the_store() => Lab.Do(async lab =>
    {
        const string secret = "hunter2-not-for-disks";
        var fails = true;
        var workflow = Of(builder => builder.Param(new WorkflowParam("token", "secret", Required: true)), ctx => $"{ctx.Params.Get<string>("token").Length}", () => fails);
        Assert.Equal("21", (await lab.Run(workflow, new { token = secret })).Output<string>("a"));
        fails = false;
        await lab.Resume(workflow, new ResumeOptions { Params = new Dictionary<string, object?> { ["token"] = secret } });
        foreach (var record in await lab.Journal()) Assert.DoesNotContain(secret, Encoding.UTF8.GetString(record.Line.Span));
        Assert.DoesNotContain("token", (await lab.Client.ParamsAsync("run", Lab.Token)).Keys);
    });

    [Fact]
    public void A_secret_of_the_wrong_type_is_not_shown() => Lab.Do(async lab =>
    {
        var error = await Assert.ThrowsAsync<InvalidDefinitionException>(async () => await lab.Run(Of(builder => builder.Param(new WorkflowParam("token", "secret")), _ => ""), new { token = 424242 }));
        Assert.DoesNotContain("424242", error.Message);
    });

    [Fact]
    public void Partition_tags_mode_and_environment_are_kept_with_the_run() => Lab.Do(async lab =>
    {
        await lab.Run(Of(_ => { }, ctx => ctx.Partition["date"]), start: new StartOptions
        {
            Partition = new Dictionary<string, string> { ["date"] = "2026-01-10" }, Tags = new Dictionary<string, string> { ["team"] = "docs" },
            Mode = new Dictionary<string, bool> { ["auto"] = true }, Environment = new Dictionary<string, string> { ["git_branch"] = "main" },
        });
        var head = await lab.Head();
        Assert.Equal(("2026-01-10", "docs"), (head.Partition["date"], head.Tags["team"]));
        var found = new List<string>();
        await foreach (var one in lab.Client.ListAsync(new Pawl.Storage.RunQuery { Where = new Dictionary<string, string> { ["date"] = "2026-01-10", ["team"] = "docs" } }, Lab.Token)) found.Add(one.RunId);
        Assert.Equal(["run"], found);
    });
}

using Pawl.Yaml;

namespace Pawl.Tests.Yaml;

public sealed class WorkflowFileChildTests : IDisposable
{
    readonly WorkflowFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    const string Child = "name: child\nparams: { n: { type: integer }, may: 1, token: { type: secret, required: false } }\nsteps: [ { id: a, run: 'echo $PAWL_PARAM_TOKEN; true' } ]\n";

    string Check(string call, string name = "workflow.yaml")
    {
        _folder.Write(name, $"name: parent\nsteps:\n  - {{ id: call, {call} }}\n");
        return string.Join('\n', WorkflowFile.CheckFile(name, directory: _folder.Path));
    }

    [Theory]
    [InlineData("workflow: nothere.yaml", "workflow.yaml:3:27: error: There is no workflow file 'nothere.yaml' beside this one.")]
    [InlineData("workflow: ../child.yaml", "is outside of the project's folder")]
    [InlineData("workflow: sub/../../child.yaml", "is outside of the project's folder")]
    [InlineData("workflow: /etc/passwd", "is named relative to this file")]
    [InlineData("workflow: link.yaml", "'link.yaml' is a symbolic link")]
    [InlineData("workflow: linked/child.yaml", "'linked' is a symbolic link")]
    [InlineData("workflow: '${{ run.id }}.yaml'", "cannot be computed")]
    [InlineData("workflow: child.yaml", "The workflow 'child' requires the param 'n'. Give it under 'with'.")]
    [InlineData("workflow: child.yaml, with: { n: 1, mai: 2 }", "The workflow 'child' has no param 'mai'. Did you mean 'may'?")]
    [InlineData("workflow: child.yaml, with: { n: 1 }", "")]
    [InlineData("workflow: sub/loop.yaml", "Workflow files call each other in a circle: loop.yaml -> back.yaml -> loop.yaml.")]
    [InlineData("workflow: bad.yaml", "bad.yaml:2:1: error: There is no key 'foo'")]
    public void A_child_is_found_beside_its_parent_and_nowhere_else(string call, string problem)
    {
        _folder.Write("child.yaml", Child);
        _folder.Write("bad.yaml", "name: bad\nfoo: 1\nsteps: [ { id: a, run: x } ]");
        _folder.Write("sub/loop.yaml", "name: loop\nsteps: [ { id: a, workflow: ../back.yaml } ]");
        _folder.Write("back.yaml", "name: back\nsteps: [ { id: a, workflow: sub/loop.yaml } ]");
        File.CreateSymbolicLink(Path.Combine(_folder.Path, "link.yaml"), "child.yaml");
        Directory.CreateSymbolicLink(Path.Combine(_folder.Path, "linked"), _folder.Path);
        if (problem.Length == 0) Assert.Equal("", Check(call));
        else Assert.Contains(problem, Check(call));
    }

    [Fact]
    public async Task A_secret_reaches_only_a_secret_param_of_the_child()
    {
        _folder.Write("child.yaml", Child);
        const string parent = "name: parent\nparams: { token: { type: secret }, which: token }\nsteps: [ { id: call, workflow: child.yaml, with: { n: 1, PARAM } } ]";
        Assert.Contains("cannot be used here", string.Join('\n', WorkflowFile.Check(parent.Replace("PARAM", "may: '${{ params.token }}'"), "w.yaml", directory: _folder.Path)));

        var leaked = await _folder.Run(parent.Replace("PARAM", "may: '${{ params[params.which] }}'"), new { token = "s3cr3t-1" });
        Assert.Equal(RunStatus.Failed, leaked.Status);
        Assert.Contains("would hold the value of a secret", leaked.Error);

        var lines = new List<string>();
        var result = await _folder.Run(parent.Replace("PARAM", "token: '${{ params.token }}'"), new { token = "s3cr3t-1" }, new StartOptions { RunId = "p", OnEvent = happened => { if (happened is RunEvent.Output output) lines.Add(output.Line); } });
        Assert.True(result.Status == RunStatus.Completed, result.Error);
        Assert.Equal(["***"], lines);
        Assert.DoesNotContain("s3cr3t-1", await _folder.Everything("p") + await _folder.Everything("p.call"));
    }

    [Fact]
    public async Task A_failed_child_goes_on_when_its_parent_is_resumed()
    {
        _folder.Write("child.yaml", "name: child\nsteps: [ { id: a, run: echo a >> log }, { id: b, run: 'test -e ready && echo b >> log' } ]");
        const string parent = "name: parent\nsteps: [ { id: call, workflow: child.yaml }, { id: last, run: echo last >> log } ]";
        var first = await _folder.Run(parent);
        Assert.Equal(RunStatus.Failed, first.Status);
        _folder.Write("ready", "");
        var second = await _folder.Client.ResumeAsync(_folder.Parse(parent), first.RunId, cancellationToken: TestContext.Current.CancellationToken);
        Assert.True(second.Status == RunStatus.Completed, second.Error);
        Assert.Equal("a\nb\nlast\n", _folder.Read("log"));
    }

    [Fact]
    public async Task Each_item_of_a_fan_out_can_be_a_child()
    {
        _folder.Write("child.yaml", "name: child\nparams: { n: { type: integer } }\nsteps: [ { id: a, run: 'echo v=${{ params.n }} > $PAWL_OUTPUT' } ]");
        var result = await _folder.Run("name: parent\nsteps: [ { id: call, foreach: [3, 4], workflow: child.yaml, with: { n: '${{ item }}' } }, { id: last, run: 'echo v=${{ steps.call.outputs[1].outputs.steps.a.v }} > $PAWL_OUTPUT' } ]");
        Assert.True(result.Status == RunStatus.Completed, result.Error);
        Assert.Equal("""{"v":"4"}""", result.Output<RawJson>("last").ToString());
    }
}

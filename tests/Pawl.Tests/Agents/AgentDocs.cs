using Microsoft.Extensions.AI;
using Pawl.Agents;
using Pawl.Tests.Engine;

namespace Pawl.Tests.Agents;

/// <summary>What docs/agents.md shows.</summary>
public sealed class AgentDocs
{
    [Fact]
    public void What_the_document_shows_works() => Lab.Do(async lab =>
    {
        using IChatClient model = new ScriptedChatClient([new() { Turn = 0, Contains = "bug", Tool = "run_tests", Arguments = System.Text.Json.JsonDocument.Parse("""{"filter":"all"}""").RootElement }, new() { Contains = "all pass", Text = "It is mended." }, new() { Text = "hello" }, new() { Text = "bonjour" }]);
        var RunTests = (string filter) => $"{filter} pass";
        // #region agent
        var coder = new Agent("coder", model)
        {
            Instructions = "You mend what the tests find.",
            Tools = [AIFunctionFactory.Create(RunTests, "run_tests").WithCheckpoints(new ToolOptions { Timeout = TimeSpan.FromMinutes(10) })],
        };
        var workflow = Workflow.Define("mend", async ctx =>
        {
            var answer = await coder.RunAsync(ctx, "Mend the bug in the parser.");
            return answer.Text;
        });
        // #endregion
        Assert.Equal("It is mended.", (await lab.Run(workflow)).EnsureCompleted().Output<string>("mend"));

        // #region client
        var translate = Workflow.Define("translate", async ctx =>
        {
            var chat = model.WithCheckpoints(ctx);
            var draft = await chat.GetResponseAsync("Write a greeting.", cancellationToken: ctx.CancellationToken);
            var french = await chat.GetResponseAsync($"In French: {draft.Text}", cancellationToken: ctx.CancellationToken);
            return french.Text;
        });
        // #endregion
        Assert.Equal("bonjour", (await lab.Run(translate, start: new StartOptions { RunId = "t" })).EnsureCompleted().Output<string>("translate"));
    });
}

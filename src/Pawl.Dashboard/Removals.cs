using System.Text.Json;

namespace Pawl.Dashboard;

/// <summary>Removing runs from the page. Their journals go with them, so what tells who removed what is a run of its own.</summary>
sealed class Removals(PawlClient client)
{
    public const string WorkflowName = "pawl-removal";

    public sealed record Refused(string RunId, string Why);
    public sealed record Done(string RunId, List<string> Removed, List<Refused> Refused);
    internal sealed record Result(List<string> Removed, List<Refused> Refused);

    /// <summary>A run that is cut off and resumed removes what is left; what is gone already counts as removed.</summary>
    public Workflow Workflow { get; } = Make(client);

    static Workflow Make(PawlClient client)
    {
        var workflow = Workflow.Create(WorkflowName).Describe("Removes runs, and keeps who asked for it.").Param(new WorkflowParam("runs", "list", Required: true));
        workflow.Step("remove", async context =>
        {
            var result = new Result([], []);
            foreach (var id in context.Params.Get<List<string>>("runs"))
            {
                try
                {
                    await client.DeleteAsync(id, context.CancellationToken);
                    result.Removed.Add(id);
                }
                catch (PawlException error) { result.Refused.Add(new Refused(id, error.Message)); }
            }
            return new RawJson(JsonSerializer.SerializeToUtf8Bytes(result, BodyJson.Own.Result));
        });
        return workflow.Build();
    }

    public async Task<Done> RemoveAsync(List<string> runs, string by, CancellationToken stop)
    {
        if (runs.Count == 0) return new Done("", [], []);
        var run = await client.RunAsync(Workflow, new Dictionary<string, object?> { ["runs"] = runs }, new StartOptions { By = by }, stop);
        // Whoever stopped it meant it: nobody finishes it with a resume. What a dead process left can be resumed.
        if (run.Status == RunStatus.Paused && stop.IsCancellationRequested) await client.CancelAsync(run.RunId, by, cancellationToken: CancellationToken.None);
        if (run.Status != RunStatus.Completed) throw new IOException(run.Error);
        var result = run.Output<RawJson>("remove").ToElement().Deserialize(BodyJson.Own.Result)!;
        return new Done(run.RunId, result.Removed, result.Refused);
    }
}

namespace Pawl.Cli.View;

/// <summary>Run stories as the command asks for them.</summary>
static class Stories
{
    public static async Task<RunStory> ReadAsync(PawlClient client, string runId, CancellationToken stop)
    {
        if (!RunIds.IsValid(runId)) throw new UsageException($"'{Human.Line(runId, 80)}' is not a run id. 'pawl list' shows what is there.");
        var head = await client.FindAsync(runId, stop) ?? throw new RunNotFoundException(runId);
        return new RunStory(head, await client.HistoryAsync(runId, stop));
    }

    public static StepStory Require(this RunStory story, string path) =>
        story.Find(path) ?? throw new UsageException($"There is no step '{Human.Line(path, 80)}' in run '{story.Head.RunId}'.{Nearest.Hint(path, story.Paths)} Its steps are: {string.Join(", ", story.Defined.Select(step => step.Path))}.");

    extension(StepStory step)
    {
        public string State => step.Current switch
        {
            { Status: StepStatus.Skipped, Cause: SkipCause.Blocked } => "blocked",
            { Status: { } status } => Words.Of(status),
            _ => "pending",
        };
    }
}

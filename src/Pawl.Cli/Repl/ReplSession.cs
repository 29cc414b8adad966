using Pawl.Agents;
using Pawl.Cli.View;
using Pawl.Storage;

namespace Pawl.Cli.Repl;

/// <summary>A conversation at a prompt: each line is a task, or a command about the runs.</summary>
sealed class ReplSession(Cli cli, PawlClient client, string file, Func<Caller, string[], Task<int>> execute)
{
    const string Prompt = "🎯 Your task: ", Continuing = "🎯 Your task (continuing): ";

    // So many runs are looked into for their rounds.
    const int MostRuns = 10;

    static readonly (string Name, int MostWords, string Doc)[] s_commands =
    [
        ("checkpoints", 1, "the rounds of the newest runs, or of one: checkpoints [RUN]"),
        ("list-checkpoints", 1, "the same"),
        ("resume", 1, "go on behind a run or a checkpoint with a new message: resume [RUN | RUN@SEQ]"),
        ("fork", 2, "the same in a new run, from any checkpoint or step: fork RUN [SEQ | STEP]"),
        ("show", 2, "a checkpoint: show [RUN [STEP | SEQ]]"),
        ("plan", 1, "what a resume would reuse and run: plan [RUN]"),
        ("costs", 1, "what a run took and saved: costs [RUN]"),
        ("approve", 2, "approve what a run asks, and go on: approve [RUN [STEP]]"),
        ("reject", 2, "reject it, and go on: reject [RUN [STEP]]"),
        ("help", 0, "this"),
        ("quit", 0, "leave; also exit, q"),
        ("exit", 0, ""),
        ("q", 0, ""),
    ];

    readonly LineEditor _editor = new(cli.Caller);
    readonly ReplRuns _runs = new(cli, client, file);

    public async Task<int> RunAsync()
    {
        Greet(_runs.Load());
        while (!cli.Stop.IsCancellationRequested)
        {
            var line = await ReadAsync(Prompt);
            if (line is null && !(_editor.WasInterrupted && !await LeavesAsync())) break;
            if (line is null || line.Trim() is not { Length: > 0 } text) continue;
            try
            {
                if (!await DoAsync(text)) break;
            }
            catch (Exception error) when (error is not OperationCanceledException && cli.Caller.Variable("PAWL_DEBUG") != "1")
            {
                cli.Warn(error.Message);
            }
            if (_runs.WasStopped && await LeavesAsync()) break;
        }
        return cli.Stop.IsCancellationRequested ? ExitCode.Interrupted : ExitCode.Done;
    }

    void Greet(Workflow workflow)
    {
        var settings = cli.Configuration(file);
        var keeps = client.Options.Checkpointing && workflow.Options.Strategy != CheckpointStrategy.Off;
        var rules = settings.Approvals;
        cli.Say(cli.Ink.Strong($"pawl {Cli.Version}: {workflow.Name}{(workflow.Description is { } text ? $". {Human.Line(text, 200)}" : "")}"));
        cli.Say($"Checkpointing: {(keeps ? $"on ({cli.Store.Uri})" : cli.Ink.Careful("off: nothing is kept, and no run can be resumed"))}");
        cli.Say($"Approvals: {(rules.Enabled ? $"on{(rules.Required is { Count: > 0 } required ? $" ({string.Join(", ", required.Except(rules.Trusted))})" : " (where the workflow asks)")}" : cli.Ink.Careful("off: everything is approved"))}");
        cli.Say(cli.Ink.Faint("A line is a task; 'help' shows the commands."));
    }

    /// <returns>Whether the conversation goes on.</returns>
    async Task<bool> DoAsync(string line)
    {
        var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        // A sentence that begins with such a word is a task.
        var isCommand = s_commands.FirstOrDefault(one => one.Name == words[0]) is { Name: not null } command && words.Length - 1 <= command.MostWords;
        if (!isCommand)
        {
            await _runs.BeginAsync(line);
            return true;
        }
        var (first, second) = (words.ElementAtOrDefault(1), words.ElementAtOrDefault(2));
        switch (words[0])
        {
            case "quit" or "exit" or "q":
                return false;
            case "help":
                foreach (var (name, _, doc) in s_commands.Where(one => one.Doc.Length > 0)) cli.Say($"  {name,-18}{doc}");
                break;
            case "checkpoints" or "list-checkpoints":
                await ListAsync(first);
                break;
            case "resume":
                var (head, seq) = await _runs.FindAsync(first ?? await NewestAsync());
                await _runs.CheckAsync(head, seq);
                if (await AskOnAsync() is { } said) await _runs.ResumeAsync(head, seq, said);
                break;
            case "fork":
                await ForkAsync(first ?? await NewestAsync(), second);
                break;
            case "approve" or "reject":
                var run = first ?? await NewestAsync();
                if (await VerbAsync([words[0], run, .. second is null ? Array.Empty<string>() : [second]]) == ExitCode.Done) await _runs.ResumeAsync((await _runs.FindAsync(run)).Head, null, null);
                break;
            default:
                var about = first ?? await NewestAsync();
                await VerbAsync(words[0] == "plan" ? ["resume", about, "--plan"] : [words[0], about, .. second is null ? Array.Empty<string>() : [second]]);
                break;
        }
        return true;
    }

    Task<int> VerbAsync(string[] words) => execute(cli.Caller with { CanAsk = false },
        [.. words, .. cli.Get(cli.StoreOption) is { } store ? (string[])["--store", store] : [], .. cli.Configuration(file).Path is { } config ? (string[])["--config", config] : []]);

    async Task ForkAsync(string id, string? at)
    {
        var isSeq = long.TryParse(at, out var given);
        var (head, seq) = await _runs.FindAsync(isSeq ? $"{id}@{given}" : id);
        if (at is null) await _runs.CheckAsync(head, seq);
        if (await AskOnAsync() is not { } said) return;
        if (at is null || isSeq) await _runs.ResumeAsync(head, seq, said, forks: true);
        else await _runs.ForkBeforeAsync(head, at, said);
    }

    async Task<string?> AskOnAsync()
    {
        if (await ReadAsync(Continuing) is { } said && said.Trim().Length > 0) return said.Trim();
        cli.Say("Cancelled.");
        return null;
    }

    async Task<string> NewestAsync()
    {
        if (_runs.Last is { } last) return last;
        await foreach (var head in client.ListAsync(new RunQuery { Workflow = _runs.Load().Name }, cli.Stop)) return head.RunId;
        throw new UsageException($"There is no run of this workflow in {cli.Store.Uri} yet.");
    }

    async Task ListAsync(string? runId)
    {
        var heads = new List<RunHead>();
        if (runId is not null) heads.Add((await _runs.FindAsync(runId)).Head);
        else
            await foreach (var head in client.ListAsync(new RunQuery { Workflow = _runs.Load().Name }, cli.Stop))
            {
                heads.Add(head);
                if (heads.Count == MostRuns) break;
            }
        var table = new Table("CHECKPOINT ID", "STATUS", "WORKFLOW ID", "ROUND", "TIMESTAMP");
        var count = 0;
        foreach (var head in heads)
            foreach (var round in (await client.FleetRoundsAsync(head.RunId, cancellationToken: cli.Stop)).Reverse())
            {
                table.Add(null, round.CheckpointId, round.Metadata["status"], round.WorkflowId, $"{round.CurrentRound}", Human.Date(round.Timestamp, cli.Caller));
                count++;
            }
        if (count == 0) cli.Say("There are no checkpoints of rounds yet.");
        else table.Write(cli);
    }

    /// <summary>Waits on another thread: a stop must not wait for a line that never comes.</summary>
    async Task<string?> ReadAsync(string prompt)
    {
        try { return await Task.Run(() => _editor.Read(prompt), CancellationToken.None).WaitAsync(cli.Stop); }
        catch (OperationCanceledException) { return null; }
    }

    /// <summary>Who cannot be asked stays: the end of the input ends the conversation.</summary>
    async Task<bool> LeavesAsync() => cli.Caller.CanAsk && await ReadAsync("Leave? Runs are kept. [y/N] ") is var answer && (answer is null || answer.Trim() is "y" or "Y" or "yes");
}

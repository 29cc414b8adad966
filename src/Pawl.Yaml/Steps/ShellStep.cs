namespace Pawl.Yaml;

/// <summary>The body of a step with <c>run</c>, or of one item of it.</summary>
internal sealed class ShellStep(FileContext file, StepDefinition step, Work.Shell work, Surroundings around)
{
    public async Task<StepResult> RunAsync(StepContext context)
    {
        var scope = new StepScope(context, file, around, work.Command.Env);
        var look = work.Skip is { } skip ? await SmartSkip.LookAsync(context, skip, scope, step.Hash, DirectoryOf(work.Command, scope, file)) : null;
        if (look?.Skip is { } unneeded) return unneeded;
        var result = (await ExecuteAsync(context, file, work.Command, scope, "")).ToResult();
        return look is null ? result : await look.FinishAsync(context, result);
    }

    public static async Task<StepResult> UndoAsync(StepContext context, FileContext file, CommandDefinition command, string id, Surroundings around) =>
        (await ExecuteAsync(context, file, command, new StepScope(context, file, around, command.Env) { Undoing = id }, " undo")).ToResult();

    /// <summary>Asks the probe of <c>on_unknown</c>: exit code 0 says that the work was done, and what it writes to $PAWL_OUTPUT are the outputs.</summary>
    public async Task<StepResult?> ProbeAsync(StepContext context, CommandDefinition probe)
    {
        var found = await ExecuteAsync(context, file, probe, new StepScope(context, file, around, probe.Env), " probe");
        return found.ExitCode == 0 ? StepResult.Ok(found.Outputs) : null;
    }

    public static async Task<ShellOutcome> ExecuteAsync(StepContext context, FileContext file, CommandDefinition command, StepScope scope, string purpose, IReadOnlyDictionary<string, string>? arguments = null, IReadOnlyList<string>? secrets = null)
    {
        var facts = new ShellFacts
        {
            RunId = context.RunId, Workflow = context.WorkflowName, Step = context.Path, Attempt = context.Attempt, IdempotencyKey = context.IdempotencyKey, IsResumed = context.IsResumed,
            Params = scope.ParamTexts(),
        };
        var environment = new Dictionary<string, string>(scope.Variables());
        foreach (var (name, value) in facts.ToEnvironment().Concat(command.Script.Bind(scope)).Concat(arguments ?? new Dictionary<string, string>())) environment[name] = value;
        environment["PAWL_WORKFLOW_DIR"] = file.Folder ?? file.Directory;
        // Whose stop it was, the run's or the time limit's, the engine knows: it takes a stopped outcome's log, and nothing else of it.
        var outcome = await new ShellRunner(context.Time).RunAsync(new ShellCommand
        {
            // Two stores can hold runs of the same name; two of them in one folder at once are the rarer case.
            Key = $"{file.Directory} {context.IdempotencyKey}{purpose}",
            Shell = command.Script.Shell,
            Script = command.Script.Text,
            WorkingDirectory = DirectoryOf(command, scope, file),
            Environment = environment,
            Secrets = [.. scope.Secrets, .. secrets ?? []],
            OutputLimit = command.OutputLimit ?? DefaultOutputLimit,
            IsRepeated = context.IsResumed || context.Attempt > 1,
        }, context.Write, context.CancellationToken);
        if (outcome.MetricsProblem is { } problem) context.Warn($"The figures of step '{context.Path}' are not counted: {problem}");
        return outcome;
    }

    const int DefaultOutputLimit = 4 * 1024 * 1024;

    static string DirectoryOf(CommandDefinition command, StepScope scope, FileContext file)
    {
        if (command.WorkingDirectory is not { } template) return file.Directory;
        var directory = template.Evaluate(scope).AsText();
        if (FileContext.WhyNoDirectory(directory) is { } why) throw new StepException($"'{YamlReader.Printable(directory)}': {why}");
        return Path.GetFullPath(Path.Combine(file.Directory, directory));
    }
}

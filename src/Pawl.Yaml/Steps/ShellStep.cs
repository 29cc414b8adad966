namespace Pawl.Yaml;

/// <summary>The body of a step with <c>run</c>, or of one item of it.</summary>
internal sealed class ShellStep(FileContext file, StepDefinition step, Work.Shell work, Surroundings around)
{
    public async Task<StepResult> RunAsync(StepContext context)
    {
        var scope = new StepScope(context, file, around, work.Command.Env);
        if (work.OnUnknown is { } rule && await DecideUnknownAsync(context, rule, scope) is { } decided) return decided;
        var look = work.Skip is { } skip ? await SmartSkip.LookAsync(context, skip, scope, step.Hash, DirectoryOf(work.Command, scope, file)) : null;
        if (look?.Skip is { } unneeded) return unneeded;
        var result = (await ExecuteAsync(context, file, work.Command, scope, "")).ToResult();
        return look is null ? result : await look.FinishAsync(context, result);
    }

    public static async Task UndoAsync(StepContext context, FileContext file, CommandDefinition command, string id, Surroundings around)
    {
        var scope = new StepScope(context, file, around, command.Env) { Undoing = id };
        var result = (await ExecuteAsync(context, file, command, scope, " undo")).ToResult();
        if (result.Error is { } error) throw new StepException(error.Message, error.Class);
    }

    /// <summary>The attempt's beginning is made durable; when it was there already, the process died between it and the step's end.</summary>
    async Task<StepResult?> DecideUnknownAsync(StepContext context, UnknownRule rule, StepScope scope)
    {
        var isFresh = false;
        await context.StepAsync($"(begun)/{context.Attempt}", _ => { isFresh = true; return Task.FromResult(true); }, new StepOptions { Checkpoint = true });
        if (isFresh && context.StatusOf(context.Path) != StepStatus.Canceled) return null;
        switch (rule.Policy)
        {
            case "skip":
                return StepResult.Skip("an earlier attempt was cut off, and on_unknown says skip: it counts as done", unchanged: true);
            case "fail":
                return StepResult.Fail("An earlier attempt was cut off, and nobody knows whether its work was done. Find out; then resume with --from and the step after this one, or with this one to do it again.", ErrorClass.Critical, "unknown_outcome");
            default:
                var probe = await ExecuteAsync(context, file, rule.Probe!, scope, " probe");
                if (probe.ExitCode == 0) return StepResult.Ok(probe.Outputs) with { Reason = "an earlier attempt was cut off, and the probe says that its work was done" };
                return null;
        }
    }

    static async Task<ShellOutcome> ExecuteAsync(StepContext context, FileContext file, CommandDefinition command, StepScope scope, string purpose)
    {
        var facts = new ShellFacts
        {
            RunId = context.RunId, Workflow = context.WorkflowName, Step = context.Path, Attempt = context.Attempt, IdempotencyKey = context.IdempotencyKey, IsResumed = context.IsResumed,
            Params = scope.ParamTexts(),
        };
        var environment = new Dictionary<string, string>(scope.Variables());
        foreach (var (name, value) in facts.ToEnvironment().Concat(command.Script.Bind(scope))) environment[name] = value;
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
            Secrets = scope.Secrets,
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

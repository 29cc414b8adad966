using System.Text.Json;
using Pawl.Engine;
using Pawl.Storage;

namespace Pawl.Planning;

/// <summary>(definition, journal, surroundings) → plan. Pure: no I/O, no clock of its own.</summary>
static class ResumePlanner
{
    public static ResumePlan Plan(Workflow workflow, Journal journal, ResumeOptions options, DateTimeOffset now)
    {
        var refusals = new List<Refusal>();
        var warnings = new List<string>();
        var head = journal.Head;
        CheckStatus(journal, options, refusals);
        CheckSurroundings(journal, options, now, refusals, warnings);
        if (workflow.Name != head.Workflow)
            refusals.Add(new(RefusalReason.OtherWorkflow, $"Run '{head.RunId}' is of workflow '{head.Workflow}', not '{workflow.Name}'.", "Give the right definition."));
        CheckNames(workflow, options, refusals);
        var migrated = Migrated.Of(workflow, journal, refusals);
        var map = Merged(migrated?.Map, options.Map, journal);
        var then = StepsThen(journal);
        var changed = options.RerunChanged ? Changed(workflow, journal, map, then).Select(pair => pair.Step.Id).ToHashSet() : [];
        CheckFinished(workflow, journal, map, then, [.. changed, .. Descendants(workflow, options.From), .. migrated?.Outputs.Keys ?? []], refusals, warnings);
        if (Budget.InForce(workflow.Options.Budget, journal, options.Budget)?.Exceeded(journal.Spent, head.RunId) is { } over)
            refusals.Add(new(RefusalReason.OverBudget, $"Run '{head.RunId}' is over its budget: {over.What}.", over.Mend));
        var kept = StepSelection.Kept(journal);
        var (part, chosen) = Part(kept, workflow, journal, options, map, refusals);
        var again = Descendants(workflow, options.From);
        if (chosen is not null) again.IntersectWith(chosen);
        var steps = Decide(workflow, journal, options, map, migrated, again, changed, id => chosen?.Contains(id) == false ? part!.Words : null);
        CheckReads(workflow, journal, map, migrated, then, steps, refusals);
        CheckApprovals(workflow, journal, steps, options, map, refusals);
        return new ResumePlan
        {
            Head = head, Steps = steps, Map = map, Migrated = migrated, Select = part, IsNewPart = part != kept, AskedAgain = Decisions.StartedOver(journal, again), Refusals = refusals, Warnings = warnings,
            Surroundings = Surroundings(journal, options), Definition = DefinitionChange(workflow, journal),
        };
    }

    /// <summary>Names of steps that never finished need no mending.</summary>
    static Dictionary<string, string> Merged(IReadOnlyDictionary<string, string>? migrated, IReadOnlyDictionary<string, string>? asked, Journal journal)
    {
        var map = (migrated ?? new Dictionary<string, string>()).Where(pair => journal.Find(pair.Value) is not null).ToDictionary();
        foreach (var (name, old) in asked ?? new Dictionary<string, string>()) map[name] = old;
        return map;
    }

    static void CheckStatus(Journal journal, ResumeOptions options, List<Refusal> refusals)
    {
        var head = journal.Head;
        if (head.Seq == 1 && journal.CreatedData!.RootElement.TryGetProperty("forked_from", out _))
            refusals.Add(new(RefusalReason.Incompatible, $"Run '{head.RunId}' is a fork whose making was cut off: it has nothing of its parent.", $"Remove it with 'pawl delete {head.RunId}', and fork again."));
        if (head.Status == RunStatus.Completed)
            refusals.Add(new(RefusalReason.Completed, $"Run '{head.RunId}' is completed; there is nothing to resume.", $"'pawl rerun {head.RunId}' starts a new run with the same params."));
        if (head.Status == RunStatus.Canceled && !options.Force)
            refusals.Add(new(RefusalReason.Canceled, $"Run '{head.RunId}' was canceled.", "Resume it with --force if that was a mistake."));
    }

    static void CheckSurroundings(Journal journal, ResumeOptions options, DateTimeOffset now, List<Refusal> refusals, List<string> warnings)
    {
        var data = journal.CreatedData!.RootElement;
        if (options.ProjectPath is { } project && data.TryGetProperty("project_path", out var stored) && stored.GetString() is { } was && was != project && !options.Force)
            refusals.Add(new(RefusalReason.ProjectDiffers, $"The run works on the project '{was}', and this is '{project}'.", $"Change to '{was}', or use --force if the project has moved."));
        var age = now - journal.Head.UpdatedAt;
        if (age > options.MaxAge)
            Guard(options.AgeGuard, new(RefusalReason.TooOld, $"The last checkpoint is {Describe(age)} old.", "What finished steps read may have changed since; 'pawl rerun' starts anew."), refusals, warnings);
        foreach (var (fact, before, value) in Surroundings(journal, options))
        {
            if (before is null || value is null || !IsGuarded(fact)) continue;
            Guard(options.EnvironmentGuard, new(RefusalReason.EnvironmentDiffers, $"{fact.Replace('_', ' ')} was '{before}' when the run began and is '{value}' now.", "Go back to it, or start anew with 'pawl rerun'."), refusals, warnings);
        }
    }

    static List<FactChange> Surroundings(Journal journal, ResumeOptions options)
    {
        if (options.Environment is not { } present || !journal.CreatedData!.RootElement.TryGetProperty("environment", out var environment)) return [];
        var before = environment.EnumerateObject().ToDictionary(fact => fact.Name, fact => fact.Value.GetString());
        return [.. before.Keys.Union(present.Keys).Select(fact => new FactChange(fact, before.GetValueOrDefault(fact), present.GetValueOrDefault(fact))).Where(change => change.Before != change.Now)];
    }

    static IReadOnlyList<string> DefinitionChange(Workflow workflow, Journal journal) =>
        workflow.Source?.Text is { } now && Stored(journal) is { } before && before != now ? TextDiff.Unified(before, now) : [];

    /// <summary>The text of the definition that the last pass ran with.</summary>
    static string? Stored(Journal journal)
    {
        string? text = null;
        foreach (var data in journal.Passes.Select(pass => pass.Data).Where(data => !data.IsEmpty).Reverse())
        {
            using var pass = JsonDocument.Parse(data);
            if ((text = Text(pass.RootElement)) is not null) return text;
        }
        return Text(journal.CreatedData!.RootElement);

        static string? Text(JsonElement data) => data.TryGetProperty("definition", out var definition) ? definition.GetProperty("text").GetString() : null;
    }

    static bool IsGuarded(string fact) => fact is "git_branch" or "git_commit" || fact.StartsWith("tool_", StringComparison.Ordinal);

    static void Guard(GuardPolicy policy, Refusal refusal, List<Refusal> refusals, List<string> warnings)
    {
        if (policy == GuardPolicy.Refuse) refusals.Add(refusal);
        else if (policy == GuardPolicy.Warn) warnings.Add(refusal.Message);
    }

    /// <summary>Whoever jumps over a step does not jump over a person's decision that is still to be made in it; and nothing else stands for one.</summary>
    static void CheckApprovals(Workflow workflow, Journal journal, List<StepPlan> steps, ResumeOptions options, IReadOnlyDictionary<string, string> map, List<Refusal> refusals)
    {
        foreach (var set in journal.Entries.Where(entry => entry is { IsDone: true, Reason: ForkPlanner.SetByFork } && workflow.Find(entry.Path) is { Kind: "approval" }))
            refusals.Add(new(RefusalReason.Waiting, $"The decision of '{set.Path}' was set by a fork, and a person decides.", "Fork again without it."));
        foreach (var (name, old) in map.Where(pair => workflow.Find(pair.Key) is { Kind: "approval" } && journal.Find(pair.Value) is { IsDone: true }))
            if (!journal.Entries.Any(entry => entry.Path.StartsWith($"{old}/approval", StringComparison.Ordinal)))
                refusals.Add(new(RefusalReason.Waiting, $"Step '{old}' asked nobody, so its result cannot stand for the approval '{name}'.", $"Leave out --map {old}={name}."));
        foreach (var jumped in steps.Where(step => step.Decision == StepDecision.Skip))
        {
            var asked = journal.Asked.FirstOrDefault(wait => Journal.IsUnder(wait.Path, jumped.Path) && journal.Find(wait.Path) is not { IsDone: true })?.Path
                ?? Undecided(workflow.Find(jumped.Path)!, jumped.Path);
            if (asked is not null)
                refusals.Add(new(RefusalReason.Waiting, $"To start from '{options.From}' would go around the approval '{asked}', which nobody has decided.", $"Resume without it; decide with 'pawl approve {journal.Head.RunId} {asked}' or 'pawl reject …'."));
        }

        string? Undecided(Step step, string path) => step.Kind == "approval" && journal.Find(path)?.Status is not StepStatus.Failed ? path
            : step.Children.Select(child => Undecided(child, $"{path}/{child.Id}")).FirstOrDefault(found => found is not null);
    }

    static void CheckNames(Workflow workflow, ResumeOptions options, List<Refusal> refusals)
    {
        var ids = workflow.Steps.Select(step => step.Id).ToList();
        foreach (var name in (options.Map?.Keys ?? []).Concat(options.From is { } from ? [from] : []))
        {
            if (!ids.Contains(name))
                refusals.Add(new(RefusalReason.UnknownStep, $"There is no step '{RunIds.Printable(name)}' in the workflow '{workflow.Name}'.", $"Its steps are: {string.Join(", ", ids)}.{Nearest.Hint(name, ids)}"));
        }
    }

    /// <summary>By path and by what finished steps depend on, not by one hash: a later step may come, an unfinished one may change.</summary>
    static void CheckFinished(Workflow workflow, Journal journal, IReadOnlyDictionary<string, string> map, Dictionary<string, StepThen> then, HashSet<string> remade, List<Refusal> refusals, List<string> warnings)
    {
        var known = workflow.Steps.Select(step => step.Id).ToHashSet();
        foreach (var entry in journal.Entries.Where(entry => entry.IsDone && Transitions.IsTopLevel(entry.Path) && !known.Contains(entry.Path)).OrderBy(entry => entry.Seq))
        {
            if (map.Values.Contains(entry.Path)) continue;
            var candidates = workflow.Steps.Where(step => journal.Find(step.Id) is null && !map.ContainsKey(step.Id)).ToList();
            var near = candidates.FirstOrDefault(step => step.Options.Fingerprint is { } print && then.TryGetValue(entry.Path, out var old) && old.Print == print)?.Id
                ?? Nearest.Find(entry.Path, candidates.Select(step => step.Id));
            refusals.Add(new(RefusalReason.Incompatible, $"Step '{entry.Path}' is finished in this run (checkpoint {entry.Seq}) and no longer in the workflow.",
                near is null ? $"Bring it back, or name its successor with --map {entry.Path}=NEW." : $"If it is now called '{near}', use --map {entry.Path}={near}; otherwise bring it back."));
        }
        foreach (var (step, old, kind) in Changed(workflow, journal, map, then))
        {
            if (kind == step.Kind)
                warnings.Add($"Step '{step.Id}' was changed since it finished (checkpoint {old.Seq}); its recorded result is used. --rerun-changed runs it again.");
            // What stands for an approval under another name has a rule of its own.
            else if (!remade.Contains(step.Id) && !(step.Kind == "approval" && map.ContainsKey(step.Id)))
                refusals.Add(new(RefusalReason.Incompatible, $"Step '{step.Id}' is finished in this run (checkpoint {old.Seq}) as '{kind}', and is '{step.Kind}' now.", $"Bring it back, give the new one another id, or run it again with --rerun-changed or --from {step.Id}."));
        }
    }

    /// <summary>What a finished step left is read by name. A step that read it under the same name before knows what it does.</summary>
    static void CheckReads(Workflow workflow, Journal journal, IReadOnlyDictionary<string, string> map, Migrated? migrated, Dictionary<string, StepThen> then, List<StepPlan> steps, List<Refusal> refusals)
    {
        var reused = steps.Where(step => step.Decision == StepDecision.Reuse).Select(step => step.Path).ToHashSet();
        foreach (var step in steps.Where(step => step.Decision is StepDecision.Run or StepDecision.Rerun or StepDecision.Wait).Select(step => workflow.Find(step.Path)!))
        {
            var before = then.GetValueOrDefault(map.GetValueOrDefault(step.Id, step.Id))?.Reads ?? [];
            foreach (var use in step.Reads)
            {
                var top = use.Step.Split('/')[0];
                var old = new OutputUse(map.GetValueOrDefault(top, top) + use.Step[top.Length..], use.Output);
                if (!reused.Contains(top) || migrated?.Outputs.ContainsKey(top) == true || before.Contains(old.ToString())) continue;
                if (journal.Find(old.Step) is not { Status: StepStatus.Completed } entry || MembersOf(journal, entry) is not { } has || has.Contains(use.Output)) continue;
                refusals.Add(new(RefusalReason.Incompatible, $"Step '{step.Id}' uses the output '{use.Output}' of '{use.Step}', which finished without it (checkpoint {entry.Seq}); it has: {(has.Count == 0 ? "none" : string.Join(", ", has.Take(10)))}.",
                    $"Use the name that it has.{Nearest.Hint(use.Output, has)} Or run '{top}' again with --from {top}, or give the workflow a version with a migration."));
            }
        }
    }

    /// <summary>Null when the output is no object.</summary>
    static List<string>? MembersOf(Journal journal, JournalEntry entry)
    {
        if (!entry.HasOutput) return [];
        using var output = JsonDocument.Parse(journal.Output(entry), new JsonDocumentOptions { MaxDepth = 128 });
        return output.RootElement.ValueKind == JsonValueKind.Object ? [.. output.RootElement.EnumerateObject().Select(member => member.Name)] : null;
    }

    /// <summary>Finished steps that are not what they were, with the kind that they had.</summary>
    static IEnumerable<(Step Step, JournalEntry Entry, string Kind)> Changed(Workflow workflow, Journal journal, IReadOnlyDictionary<string, string> map, Dictionary<string, StepThen> then)
    {
        foreach (var step in workflow.Steps)
        {
            var path = map.GetValueOrDefault(step.Id, step.Id);
            if (journal.Find(path) is not { IsDone: true } entry || !then.TryGetValue(path, out var before)) continue;
            var isOther = before.Kind != step.Kind && entry.Status == StepStatus.Completed;
            if (isOther || (step.Options.Fingerprint is { } now && before.Print is { } print && print != now)) yield return (step, entry, isOther ? before.Kind : step.Kind);
        }
    }

    /// <summary>A step as a pass stored it.</summary>
    sealed record StepThen(string Kind, string? Print, IReadOnlyList<string> Reads);

    /// <summary>Steps as of the last pass that wrote them: each pass stores the definition it ran.</summary>
    static Dictionary<string, StepThen> StepsThen(Journal journal)
    {
        var then = new Dictionary<string, StepThen>();
        Read(journal.CreatedData!.RootElement, _ => true);
        foreach (var pass in journal.Passes)
        {
            if (pass.Data.IsEmpty) continue;
            using var data = JsonDocument.Parse(pass.Data);
            // A finished step keeps the print it finished with; a later pass only re-defines what it still had to run.
            Read(data.RootElement, id => journal.Find(id) is not { IsDone: true } entry || entry.Seq > pass.Seq);
        }
        return then;

        void Read(JsonElement data, Func<string, bool> take)
        {
            if (!data.TryGetProperty("steps", out var steps)) return;
            foreach (var step in steps.EnumerateArray())
                if (step.GetProperty("id").GetString() is { } id && take(id))
                    then[id] = new StepThen(step.TryGetProperty("kind", out var kind) ? kind.GetString()! : "code", step.TryGetProperty("fingerprint", out var print) ? print.GetString() : null,
                        step.TryGetProperty("reads", out var reads) ? [.. reads.EnumerateArray().Select(use => use.GetString()!)] : []);
        }
    }

    /// <summary>What this pass keeps to: what is asked for now, else what was. When that is done, what its end held back is wanted; and a step that is named to start from is wanted, whatever the part was.</summary>
    static (StepSelection? Part, HashSet<string>? Ids) Part(StepSelection? kept, Workflow workflow, Journal journal, ResumeOptions options, IReadOnlyDictionary<string, string> map, List<Refusal> refusals)
    {
        if (options.Select is { } asked) return asked.IsAll ? default : (asked, asked.In(workflow, journal));
        if (kept is null) return default;
        try
        {
            var ids = kept.In(workflow, journal);
            if (journal.Head.Status == RunStatus.Paused && ids.All(id => journal.Find(map.GetValueOrDefault(id, id)) is { IsDone: true })) (kept, ids) = (kept.Behind, kept.Behind.In(workflow, journal));
            return kept.IsAll || (options.From is { } from && !ids.Contains(from)) ? default : (kept, ids);
        }
        catch (InvalidDefinitionException wrong)
        {
            refusals.Add(new(RefusalReason.Incompatible, $"Run '{journal.Head.RunId}' was asked for a part of the workflow: {wrong.Message}", "Name another part with --until or --only, or run all of it with --all."));
            return default;
        }
    }

    static List<StepPlan> Decide(Workflow workflow, Journal journal, ResumeOptions options, IReadOnlyDictionary<string, string> map, Migrated? migrated, HashSet<string> rerun, HashSet<string> changed, Func<string, string?> whyOut)
    {
        var jumped = options.From is { } from ? Ancestors(workflow.Steps, from) : [];
        var kept = CostLedger.Kept(journal.Entries);
        var plans = new List<StepPlan>();
        foreach (var step in workflow.Steps)
        {
            var path = map.GetValueOrDefault(step.Id, step.Id);
            var entry = journal.Find(path);
            StepPlan plan;
            if (whyOut(step.Id) is { } why && entry is not { IsDone: true, AfterFailure: false })
                plan = new(step.Id, StepDecision.LeftOut, why, default);
            else if (rerun.Contains(step.Id))
                plan = new(step.Id, entry is { IsDone: true } ? StepDecision.Rerun : StepDecision.Run, $"from '{options.From}' on", default);
            else if (changed.Contains(step.Id) && whyOut(step.Id) is null)
                plan = new(step.Id, StepDecision.Rerun, "changed since it finished", default);
            else if (entry is { IsDone: true, AfterFailure: true })
                plan = new(step.Id, StepDecision.Run, "it ran because of a failure: decided anew", default);
            else if (entry is { IsDone: true })
                plan = new(step.Id, StepDecision.Reuse, $"recorded as checkpoint {entry.Seq}{(migrated?.Outputs.ContainsKey(step.Id) == true ? $", {migrated.Reason}" : "")}", kept.GetValueOrDefault(path));
            else if (jumped.Contains(step.Id))
                plan = new(step.Id, StepDecision.Skip, $"jumped over: start from '{options.From}' was asked for", default);
            else if (journal.Head.Waits.FirstOrDefault(wait => Journal.IsUnder(wait.Path, step.Id)) is { } wait)
                plan = new(step.Id, StepDecision.Wait, $"waits for {Describe(wait)}", default);
            else
                plan = new(step.Id, StepDecision.Run, entry switch
                {
                    _ when WasCutOff(journal, step, entry) => $"was cut off, and nobody knows whether its work was done; on_unknown: {step.Options.OnUnknown!.Policy}",
                    null => "not yet run",
                    { Status: StepStatus.Failed } => $"failed: {StepExecutor.Shorten(entry.Error?.Message)}",
                    { Status: StepStatus.Skipped } => entry.Reason ?? "was blocked",
                    { Status: StepStatus.Canceled } => "was stopped",
                    _ => "not finished",
                }, kept.GetValueOrDefault(path));
            plans.Add(plan);
        }
        return plans;
    }

    static bool WasCutOff(Journal journal, Step step, JournalEntry? entry) => step.Options.OnUnknown is not null
        && (entry is { Status: StepStatus.Canceled } or { Error.Type: StepExecutor.TimeoutType } || journal.Find($"{step.Id}/{UnknownOutcome.Begun((entry?.Attempt ?? 0) + 1)}") is not null);

    /// <summary>A step and all that come after it.</summary>
    public static HashSet<string> Descendants(Workflow workflow, string? from)
    {
        var found = new HashSet<string>();
        if (from is null) return found;
        found.Add(from);
        for (var grew = true; grew;)
        {
            grew = false;
            foreach (var step in workflow.Steps)
                if (!found.Contains(step.Id) && step.Needs.Concat(step.After).Any(found.Contains)) grew |= found.Add(step.Id);
        }
        return found;
    }

    /// <summary>All that come before a step.</summary>
    public static HashSet<string> Ancestors(IReadOnlyList<Step> steps, string step)
    {
        var found = new HashSet<string>();
        var byId = steps.ToDictionary(one => one.Id);
        var open = new Stack<string>([step]);
        while (open.TryPop(out var id))
            foreach (var need in byId.TryGetValue(id, out var at) ? at.Needs.Concat(at.After) : [])
                if (found.Add(need)) open.Push(need);
        return found;
    }

    static string Describe(Wait wait) => wait switch
    {
        { Message: { } question } => $"a decision: {question}",
        { Signal: { } signal } => $"the signal '{signal}'",
        _ => $"{wait.Due:yyyy-MM-dd HH:mm:ss}Z",
    };

    static string Describe(TimeSpan age) => age.TotalHours >= 48 ? $"{age.TotalDays:0} days" : $"{age.TotalHours:0} hours";
}

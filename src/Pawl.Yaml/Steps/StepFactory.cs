using System.Text.Encodings.Web;
using System.Text.Json;

namespace Pawl.Yaml;

/// <summary>Definitions → executable steps.</summary>
internal sealed class StepFactory(FileContext file)
{
    // No step can have this id, so it hides none.
    const string Choice = "(choice)";

    static readonly JsonWriterOptions s_relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, MaxDepth = 128 };

    /// <summary>The steps of one level; those of a fan-out are made anew for each item.</summary>
    public IReadOnlyList<Step> MakeLevel(IReadOnlyList<StepDefinition> steps, Surroundings around)
    {
        var inside = around with { IsTop = around.Ids.Count == 0, Ids = [.. steps.Select(step => step.Id).Concat(around.Ids).Distinct()] };
        return [.. steps.Select(step => Make(step, inside))];
    }

    Step Make(StepDefinition step, Surroundings around)
    {
        var children = ChildrenOf(step.Work, around);
        return new Step
        {
            Id = step.Id,
            Kind = step.Kind,
            Needs = [.. step.Needs.Select(name => name.Id)],
            After = [.. step.After.Select(name => name.Id)],
            Condition = step.If is { } condition ? context => new(Decide(condition, new StepScope(context, file, around, []))) : null,
            ConditionText = step.If?.Text.Trim(),
            RunsAfterFailure = step.If is { } when && ExpressionFacts.Calls(when, "always", "failure", "cancelled"),
            Body = step.FanOut is { } fanOut ? context => FanOutAsync(context, step, fanOut, around) : BodyOf(step, around, children),
            Compensate = step.FanOut is null ? UndoOf(step, around) : null,
            IsCompound = step.FanOut is not null || !step.Work.IsOwn,
            Children = children,
            Operation = (step.Work as Work.Approve)?.Operation,
            // What stands inside is read at the top as well.
            Reads = around.IsTop ? NameRules.OutputsOf(step) : [],
            // Of a fan-out each item has these for itself.
            Options = (step.FanOut is null ? OptionsOf(step, around) : new StepOptions { Checkpoint = step.Checkpoint, Title = step.Title }) with
            {
                ContinueOnError = step.ContinueOnError,
                Fingerprint = step.Hash,
            },
        };
    }

    StepOptions OptionsOf(StepDefinition step, Surroundings around) =>
        new() { Retry = step.Retry, Timeout = step.Timeout, Checkpoint = step.Checkpoint, Title = step.Title, OnUnknown = UnknownOf(step, around) };

    UnknownOutcome? UnknownOf(StepDefinition step, Surroundings around) => step.Work is not Work.Shell { OnUnknown: { } rule } shell ? null : rule.Policy switch
    {
        "ask" => UnknownOutcome.Ask,
        "skip" => UnknownOutcome.Skip,
        "fail" => UnknownOutcome.Fail,
        _ => UnknownOutcome.Probe(context => new ShellStep(file, step, shell, around).ProbeAsync(context, rule.Probe!)),
    };

    IReadOnlyList<Step> ChildrenOf(Work work, Surroundings around) => work switch
    {
        Work.Group group => MakeLevel(group.Steps, around),
        Work.Sequence sequence => MakeLevel(sequence.Steps, around),
        Work.Choose choose => [.. choose.Cases.Select(one => MakeCase(one, around))],
        _ => [],
    };

    static Verdict Decide(Expression condition, StepScope scope)
    {
        var holds = condition.Evaluate(scope).IsTrue;
        return new Verdict(holds, holds ? null : $"its condition is false: {condition.Explain(scope)}");
    }

    Func<StepContext, Task<StepResult>> BodyOf(StepDefinition step, Surroundings around, IReadOnlyList<Step> children) => step.Work switch
    {
        Work.Shell shell => new ShellStep(file, step, shell, around).RunAsync,
        Work.Group group => context => RunChildrenAsync(context, children, group.MaxParallel),
        Work.Sequence => context => RunChildrenAsync(context, children, null),
        Work.Choose choose => context => ChooseAsync(context, choose, around),
        Work.Sleep sleep => context => SleepAsync(context, sleep, Scope(context, around)),
        Work.Approve approve => context => ApproveAsync(context, approve, Scope(context, around)),
        Work.Agents agents => context => file.Loading.Agents!(new AgentCall(context, file, agents.Definition, around)),
        Work.WaitFor waitFor => context => WaitForAsync(context, waitFor, Scope(context, around)),
        Work.Child child => context => RunWorkflowAsync(context, child, Scope(context, around)),
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    StepScope Scope(StepContext context, Surroundings around) => new(context, file, around, []);

    Func<StepContext, Task>? UndoOf(StepDefinition step, Surroundings around) =>
        step.Compensate is { } undo ? context => ShellStep.UndoAsync(context, file, undo, step.Id, around) : null;

    async Task<StepResult> FanOutAsync(StepContext context, StepDefinition step, FanOut fanOut, Surroundings around)
    {
        var items = FanOutItems.Expand(fanOut, file, context, around);
        var steps = items.Select(item =>
        {
            var inside = around with { Items = item.Items };
            var children = ChildrenOf(step.Work, inside);
            return new Step
            {
                Id = $"[{item.Key}]", Kind = step.Work.Kind, Body = BodyOf(step, inside, children), Children = children, Compensate = UndoOf(step, inside),
                IsCompound = !step.Work.IsOwn, Options = OptionsOf(step, inside),
            };
        }).ToList();
        var result = await context.RunStepsAsync(steps, fanOut.MaxParallel);
        return result.Status != StepStatus.Completed ? result : StepResult.Ok(Json(writer =>
        {
            writer.WriteStartArray();
            foreach (var item in steps)
            {
                writer.WriteStartObject();
                writer.WriteString("key", item.Id[1..^1]);
                WriteOutput(writer, "outputs", context.TryOutput(context.Path + item.Id));
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
        }));
    }

    static async Task<StepResult> RunChildrenAsync(StepContext context, IReadOnlyList<Step> children, int? maxParallel)
    {
        var result = await context.RunStepsAsync(children, maxParallel);
        return result.Status != StepStatus.Completed ? result : StepResult.Ok(Json(writer =>
        {
            writer.WriteStartObject();
            foreach (var child in children) WriteOutput(writer, child.Id, context.TryOutput($"{context.Path}/{child.Id}"));
            writer.WriteEndObject();
        }));
    }

    Step MakeCase(Case one, Surroundings around, string? chosen = null)
    {
        var children = MakeLevel(one.Steps, around);
        return new Step
        {
            Id = one.Id, Kind = "case", Children = children, IsCompound = true, Body = context => RunChildrenAsync(context, children, null),
            Condition = chosen is null ? null : _ => new(new Verdict(one.Id == chosen, chosen.Length == 0 ? "no case holds" : $"the case '{chosen}' was taken")),
        };
    }

    async Task<StepResult> ChooseAsync(StepContext context, Work.Choose choose, Surroundings around)
    {
        // The choice is a sub-step of its own: a resume keeps to the case that was taken, whatever its condition would say now.
        var chosen = await context.StepAsync(Choice, _ => Task.FromResult(choose.Cases.FirstOrDefault(one => one.When?.Evaluate(Scope(context, around)).IsTrue ?? true)?.Id ?? ""));
        var result = await context.RunStepsAsync([.. choose.Cases.Select(one => MakeCase(one, around, chosen))]);
        if (result.Status != StepStatus.Completed) return result;
        var output = StepResult.Ok(Json(writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("case", chosen);
            WriteOutput(writer, "steps", chosen.Length == 0 ? null : context.TryOutput($"{context.Path}/{chosen}"));
            writer.WriteEndObject();
        }));
        return output with { Reason = chosen.Length == 0 ? "no case holds" : $"took {chosen}" };
    }

    static async Task<StepResult> SleepAsync(StepContext context, Work.Sleep sleep, StepScope scope)
    {
        var text = sleep.Duration.Evaluate(scope).AsText();
        if (!Durations.TryParse(text, out var duration)) throw new StepException($"'sleep' must be {Durations.Words}, not '{YamlReader.Printable(scope.Mask(text))}'.");
        await context.SleepAsync("timer", duration);
        return StepResult.Ok();
    }

    async Task<StepResult> ApproveAsync(StepContext context, Work.Approve approve, StepScope scope)
    {
        var request = file.Loading.Configuration.Over(new ApprovalRequest(approve.Message.Evaluate(scope).AsText()) { Timeout = approve.Timeout, OnTimeout = approve.OnTimeout, Operation = approve.Operation });
        // A step that was rejected and is run again asks again.
        var decided = await context.RequestApprovalAsync(request, context.Attempt == 1 ? "approval" : $"approval-{context.Attempt}");
        if (!decided.IsApproved) return StepResult.Fail($"rejected{(decided.By is { } by ? $" by {by}" : "")}{(decided.Reason is { } reason ? $": {reason}" : "")}", ErrorClass.Permanent, "rejected");
        return StepResult.Ok(Json(writer =>
        {
            writer.WriteStartObject();
            writer.WriteBoolean("approved", true);
            // What nobody said is null: a workflow may ask for it.
            writer.WriteString("by", decided.By);
            writer.WriteString("reason", decided.Reason);
            WriteOutput(writer, "changes", decided.Changes);
            writer.WriteBoolean("timed_out", decided.TimedOut);
            writer.WriteEndObject();
        }));
    }

    static async Task<StepResult> WaitForAsync(StepContext context, Work.WaitFor wait, StepScope scope)
    {
        var name = wait.Signal.Evaluate(scope).AsText();
        Signal signal;
        try { signal = await context.WaitForSignalAsync(name, wait.Timeout); }
        catch (ArgumentException error) { throw new StepException(error.Message); }
        if (signal.TimedOut && !wait.GoesOn) return StepResult.Fail($"no signal '{name}' came within {wait.Timeout}", ErrorClass.Permanent, "signal_timeout");
        return StepResult.Ok(Json(writer =>
        {
            writer.WriteStartObject();
            WriteOutput(writer, "body", signal.Body);
            if (signal.By is not null) writer.WriteString("by", signal.By);
            writer.WriteBoolean("timed_out", signal.TimedOut);
            writer.WriteEndObject();
        }));
    }

    static async Task<StepResult> RunWorkflowAsync(StepContext context, Work.Child child, StepScope scope)
    {
        var given = child.With.ToDictionary(pair => pair.Name, pair => (object?)pair.Value.Evaluate(scope).ToRawJson());
        foreach (var param in child.Workflow.Params.Where(param => param.Type != "secret" && given.TryGetValue(param.Name, out var value) && scope.Masker.Reveals(((RawJson)value!).Utf8.Span)))
            throw new StepException($"The param '{param.Name}' of '{child.Workflow.Name}' would hold the value of a secret, and it is not declared as one: it would be stored.");
        var result = await context.RunChildAsync("", child.Workflow, given);
        var outputs = result.Steps.Where(step => step.Status != StepStatus.Failed && child.Workflow.Find(step.Path) is not null && !step.Path.Contains('/')).Select(step => step.Path).ToHashSet();
        return StepResult.Ok(Json(writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("run_id", result.RunId);
            writer.WriteString("status", "completed");
            writer.WriteStartObject("steps");
            foreach (var step in child.Workflow.Steps.Where(step => outputs.Contains(step.Id))) WriteOutput(writer, step.Id, OutputOf(result, step.Id));
            writer.WriteEndObject();
            writer.WriteEndObject();
        }));
    }

    static RawJson? OutputOf(RunResult result, string step)
    {
        try
        {
            return result.Output<RawJson>(step);
        }
        catch (OutputMissingException) { return null; }
    }

    static void WriteOutput(Utf8JsonWriter writer, string name, RawJson? output)
    {
        writer.WritePropertyName(name);
        if (output is { } raw) writer.WriteRawValue(raw.Utf8.Span);
        else writer.WriteNullValue();
    }

    static RawJson Json(Action<Utf8JsonWriter> write)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, s_relaxed)) write(writer);
        return new RawJson(stream.ToArray());
    }
}

namespace Pawl.Yaml;

/// <summary>Which names are known where: needs, cycles, and every name in every expression, checked before anything runs.</summary>
internal sealed class NameRules
{
    static readonly string[] s_roots = ["params", "steps", "matrix", "item", "index", "env", "run", "git", "state", "partition"];
    static readonly string[] s_ofStep = ["outputs", "outcome", "error"];
    public static readonly string[] OfRun = ["id", "attempt", "resumed", "workflow"];
    public static readonly string[] OfGit = ["branch", "commit"];

    readonly FileContext _file;
    readonly bool _strict;
    readonly Level _level;

    NameRules(FileContext file, bool strict, Level level) => (_file, _strict, _level) = (file, strict, level);

    ProblemList Problems => _file.Problems;

    public static void Check(IReadOnlyList<StepDefinition> steps, FileContext file, bool strict) => new NameRules(file, strict, new Level(steps, null, null, null, false)).Check();

    /// <summary>Params that nothing in the file uses.</summary>
    public static void WarnAboutParams(YamlMapping? node, IReadOnlyList<StepDefinition> steps, FileContext file)
    {
        var used = All(steps).SelectMany(step => step.Expressions).SelectMany(one => one.Expression.Names).Where(path => path.Segments[0] == "params").Select(path => path.Segments.ElementAtOrDefault(1)).ToHashSet();
        foreach (var (name, _) in node?.Entries ?? [])
        {
            if (used.Contains(name.Value) || used.Contains(null) || file.Text.Contains(ShellFacts.ParamVariable(name.Value), StringComparison.Ordinal)) continue;
            file.Problems.Warn(name, $"Nothing in this file uses the param '{name.Value}'.", $"A command reads it as ${ShellFacts.ParamVariable(name.Value)}, an expression as params.{name.Value}.");
        }
    }

    /// <summary>Outputs of steps beside this one that it names, or a step inside, and that have to be there.</summary>
    public static IReadOnlyList<OutputUse> OutputsOf(StepDefinition step)
    {
        var own = All([step]).Select(one => one.Id).ToHashSet();
        return [.. All([step]).SelectMany(one => one.Expressions).SelectMany(used => used.Expression.Names).Where(path => !path.IsOptional)
            .Select(path => path.Segments is ["steps", var name, "outputs", var output, ..] && !own.Contains(name.Split('/')[0]) ? new OutputUse(name, output) : default).Where(use => use != default).Distinct()];
    }

    static IEnumerable<StepDefinition> All(IEnumerable<StepDefinition> steps) => steps.SelectMany(step =>
        All(step.Work is Work.Choose choose ? choose.Cases.SelectMany(one => one.Steps) : step.Children).Prepend(step));

    void Check()
    {
        var sound = CheckNeeds();
        foreach (var step in _level.Steps)
        {
            if (_strict && _level.Outer?.FindFar(step.Id) is { } hidden)
                Problems.Warn(step.Node.Find("id")!, $"The id '{step.Id}' hides the step '{hidden.Id}' at {hidden.Node.Line}:{hidden.Node.Column}.", "Give one of them another id.");
            foreach (var used in step.Expressions) CheckExpression(step, used, sound);
            var matrix = step.FanOut is { Matrix: { } own } ? own.Names : _level.Matrix;
            var hasItem = step.FanOut is { Matrix: null } || _level.HasItem;
            if (step.Work is Work.Choose choose)
            {
                foreach (var one in choose.Cases) new NameRules(_file, _strict, new Level(one.Steps, _level, step, matrix, hasItem)).Check();
            }
            else if (step.Children.Count > 0) new NameRules(_file, _strict, new Level(step.Children, _level, step, matrix, hasItem)).Check();
        }
    }

    /// <summary>False when there is a circle.</summary>
    bool CheckNeeds()
    {
        foreach (var step in _level.Steps)
        {
            foreach (var name in step.Needs.Concat(step.After))
            {
                if (name.Id == step.Id) Problems.Error(name.Node, $"Step '{step.Id}' needs itself.");
                else if (_level.Find(name.Id) is null)
                    Problems.Error(name.Node, $"Step '{step.Id}' needs '{YamlReader.Printable(name.Id)}', which is not among its neighbours.", _level.Outer?.FindFar(name.Id) is null
                        ? Nearest.Hint(name.Id, _level.Steps.Select(one => one.Id))
                        : $"'{name.Id}' is outside: let '{_level.Owner!.Id}' need it.");
            }
        }
        if (_level.FindCycle() is not { } cycle) return true;
        var at = cycle[0].Needs.Concat(cycle[0].After).First(name => name.Id == cycle[1].Id).Node;
        Problems.Error(at, $"Steps wait for each other in a circle: {string.Join(" -> ", cycle.Select(step => $"{step.Id} (line {step.Node.Line})"))}.", "Remove one of these needs.");
        return false;
    }

    void CheckExpression(StepDefinition step, UsedExpression used, bool sound)
    {
        if (_strict && ExpressionFacts.Calls(used.Expression, "cancelled"))
            Problems.Warn(used.Node, "A canceled run starts nothing new, so cancelled() never holds.", "'compensate' undoes finished steps.");
        foreach (var path in used.Expression.Names)
        {
            if (WhyWrong(step, used, path, sound) is not var (message, hint)) continue;
            Problems.Error(used.Node, path.Offset + OffsetOf(used), message, hint);
        }
    }

    /// <summary>Where the expression begins in its text: offsets of its names count from its own beginning.</summary>
    static int OffsetOf(UsedExpression used)
    {
        if (!used.Node.Value.Contains("${{", StringComparison.Ordinal)) return 0;
        var part = Template.Parse(used.Node.Value).Parts.FirstOrDefault(part => part.Expression?.Text == used.Expression.Text);
        return (part?.Offset ?? 0) + 3;
    }

    (string Message, string? Hint)? WhyWrong(StepDefinition step, UsedExpression used, ExpressionPath path, bool sound)
    {
        var name = path.Segments.ElementAtOrDefault(1);
        var isInside = used.Use is ExpressionUse.Work or ExpressionUse.Setting or ExpressionUse.Undo or ExpressionUse.Key;
        switch (path.Segments[0])
        {
            case "params" when name is not null:
                if (_file.Params.FirstOrDefault(param => param.Name == name) is not { } param)
                    return ($"There is no param '{YamlReader.Printable(name)}'.", _file.Params.Count == 0 ? "Declare it under 'params'." : Nearest.Hint(name, _file.Params.Select(one => one.Name)));
                return param.Type == "secret" && used.Use is ExpressionUse.Items or ExpressionUse.Key or ExpressionUse.Setting
                    ? ($"The secret '{name}' cannot be used here, because this value is recorded or names things.", "Secrets belong into 'run' and 'env', and into secret params of a child.") : null;
            case "steps" when name is not null: return WhyNoStep(step, used, path, name, sound);
            case "matrix":
                var names = isInside && step.FanOut is { Matrix: { } own } ? own.Names : _level.Matrix;
                if (names is null) return ("There is no matrix here.", "'matrix' stands on this step or on one around it.");
                return name is null || names.Count == 0 || names.Contains(name) ? null : ($"The matrix has no '{YamlReader.Printable(name)}'.", Nearest.Hint(name, names) is { Length: > 0 } near ? near : $"It has: {string.Join(", ", names)}.");
            case "item" or "index":
                return (isInside && step.FanOut is { Matrix: null }) || _level.HasItem ? null : ($"There is no '{path.Segments[0]}' here.", "'foreach' stands on this step or on one around it.");
            case "run" when name is not null && !OfRun.Contains(name):
                return ($"A run has no '{YamlReader.Printable(name)}'.", $"It has: {string.Join(", ", OfRun)}.");
            case "git" when name is not null && !OfGit.Contains(name):
                return ($"'git' has no '{YamlReader.Printable(name)}'.", $"It has: {string.Join(", ", OfGit)}.");
            case var root when !s_roots.Contains(root):
                return ($"There is nothing called '{YamlReader.Printable(root)}' here.", Nearest.Hint(root, s_roots) is { Length: > 0 } like ? like : _file.Params.Any(one => one.Name == root) ? $"Did you mean params.{root}?" : $"Expressions know: {string.Join(", ", s_roots)}.");
            default: return null;
        }
    }

    (string Message, string? Hint)? WhyNoStep(StepDefinition step, UsedExpression used, ExpressionPath path, string name, bool sound)
    {
        var first = name.Split('/')[0];
        if (_level.See(step, first, used.Use == ExpressionUse.Undo) is not var (found, blocked))
            return ($"There is no step '{YamlReader.Printable(name)}'.", Nearest.Hint(name, _level.AllIds()) is { Length: > 0 } near ? near : All(_level.Root.Steps).Any(one => one.Id == name) ? "A step inside another one is named with its path: steps['outer/inner']." : null);
        if (blocked is not null && sound)
            return blocked == found ? ($"Step '{step.Id}' is inside of '{found.Id}', which has not ended.", null)
                : ($"Step '{blocked.Id}' uses '{found.Id}', which need not have ended before it.", blocked.Needs.Count == 0 && blocked.After.All(one => one.Id != found.Id) && blocked == step
                    ? $"Add it to needs: needs: {found.Id}" : $"Add '{found.Id}' to the needs of '{blocked.Id}'.");
        foreach (var part in name.Split('/').Skip(1))
        {
            var inside = found.Work is Work.Choose choose ? choose.Cases.Where(one => one.Id == part).Select(one => found with { Id = one.Id, Work = new Work.Sequence(one.Steps), FanOut = null }) : found.FanOut is null ? found.Children : [];
            if (inside.FirstOrDefault(one => one.Id == part) is not { } child) return ($"There is no step '{YamlReader.Printable(part)}' in '{found.Id}'.", Nearest.Hint(part, inside.Select(one => one.Id)));
            found = child;
        }
        if (path.Segments.ElementAtOrDefault(2) is not { } member) return null;
        if (!s_ofStep.Contains(member)) return ($"A step has no '{YamlReader.Printable(member)}'.", found.Work is Work.Shell ? $"Did you mean steps.{name}.outputs.{YamlReader.Printable(member)}?" : $"It has: {string.Join(", ", s_ofStep)}.");
        return member == "outputs" && path.Segments.ElementAtOrDefault(3) is { } output ? WhyNoOutput(found, output, used) : null;
    }

    (string Message, string? Hint)? WhyNoOutput(StepDefinition found, string output, UsedExpression used)
    {
        if (found.FanOut is not null && used.Use != ExpressionUse.Undo)
            return output.All(char.IsAsciiDigit) ? null : ($"The outputs of '{found.Id}' are a list with one element for each item.", $"Write steps.{found.Id}.outputs[0].outputs.{YamlReader.Printable(output)}");
        IReadOnlyList<string>? known = found.Work switch
        {
            Work.Group or Work.Sequence => [.. found.Children.Select(child => child.Id)],
            Work.Choose => ["case", "steps"],
            Work.Child => ["run_id", "status", "steps"],
            Work.Agents agents => agents.Definition.IsJson ? ["text", "status", "rounds", "result"] : ["text", "status", "rounds"],
            Work.Sleep => [],
            Work.WaitFor => ["body", "by", "timed_out"],
            Work.Approve => ["approved", "by", "reason", "changes", "timed_out"],
            _ => null,
        };
        if (known is not null) return known.Contains(output) ? null : ($"Step '{found.Id}' has no output '{YamlReader.Printable(output)}'.", known is [] ? "A pause has no outputs." : $"It has: {string.Join(", ", known)}.");
        if (_strict && found.Work is Work.Shell { Command.Script.Text: var text } && !text.Contains(output, StringComparison.Ordinal))
            Problems.Warn(used.Node, $"The command of '{found.Id}' does not mention the output '{YamlReader.Printable(output)}' that is used here.", "Outputs are lines name=value written to $PAWL_OUTPUT.");
        return null;
    }

    /// <summary>Steps that are neighbours, and the level around them.</summary>
    sealed class Level(IReadOnlyList<StepDefinition> steps, Level? outer, StepDefinition? owner, IReadOnlySet<string>? matrix, bool hasItem)
    {
        readonly Dictionary<string, StepDefinition> _byId = steps.ToDictionary(step => step.Id);

        public IReadOnlyList<StepDefinition> Steps => steps;
        public Level? Outer => outer;
        public StepDefinition? Owner => owner;
        public IReadOnlySet<string>? Matrix => matrix;
        public bool HasItem => hasItem;
        public Level Root => outer?.Root ?? this;

        public StepDefinition? Find(string id) => _byId.GetValueOrDefault(id);

        public StepDefinition? FindFar(string id) => Find(id) ?? outer?.FindFar(id);

        public IEnumerable<string> AllIds() => _byId.Keys.Concat(outer?.AllIds() ?? []);

        /// <summary>The step that a name means, the nearest first; with the step that does not wait for it, if there is one.</summary>
        public (StepDefinition Found, StepDefinition? Blocked)? See(StepDefinition from, string id, bool itself)
        {
            if (Find(id) is { } found)
            {
                if (found == from && itself) return (found, null);
                if (found == from) return (found, found);
                return (found, ComesBefore(id, from.Id) ? null : from);
            }
            return outer?.See(owner!, id, itself: false);
        }

        /// <summary>Searches backwards and stops when it is found: most steps use what is close.</summary>
        bool ComesBefore(string id, string from)
        {
            var seen = new HashSet<string>();
            var open = new Queue<string>([from]);
            while (open.TryDequeue(out var at))
            {
                foreach (var name in Find(at) is { } step ? step.Needs.Concat(step.After) : [])
                {
                    if (name.Id == id) return true;
                    if (seen.Add(name.Id)) open.Enqueue(name.Id);
                }
            }
            return false;
        }

        /// <summary>A circle, its first step repeated at the end, or null.</summary>
        public List<StepDefinition>? FindCycle()
        {
            // Takes away whatever waits for nothing that is left; what stays waits for a circle.
            var waits = steps.ToDictionary(step => step.Id, step => step.Needs.Concat(step.After).Select(name => name.Id).Where(id => id != step.Id && _byId.ContainsKey(id)).ToHashSet());
            var next = steps.SelectMany(step => waits[step.Id].Select(need => new { need, step.Id })).ToLookup(pair => pair.need, pair => pair.Id);
            var free = new Queue<string>(steps.Where(step => waits[step.Id].Count == 0).Select(step => step.Id));
            while (free.TryDequeue(out var id))
            {
                waits.Remove(id);
                foreach (var after in next[id])
                    if (waits[after].Remove(id) && waits[after].Count == 0) free.Enqueue(after);
            }
            if (waits.Count == 0) return null;
            var path = new List<string> { waits.Keys.First() };
            while (true)
            {
                var need = waits[path[^1]].First();
                var from = path.IndexOf(need);
                path.Add(need);
                if (from >= 0) return [.. path[from..].Select(id => _byId[id])];
            }
        }
    }
}

/// <summary>What the language's own classes do not tell about an expression.</summary>
internal static class ExpressionFacts
{
    /// <summary>Whether the expression calls one of the functions.</summary>
    public static bool Calls(Expression expression, params string[] functions)
    {
        return Any(expression.Root);

        bool Any(ExpressionNode node) => node is ExpressionNode.Call call && functions.Contains(call.Function.Name, StringComparer.OrdinalIgnoreCase) || node.Children.Any(Any);
    }
}

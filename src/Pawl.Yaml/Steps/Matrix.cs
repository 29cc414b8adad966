namespace Pawl.Yaml;

/// <summary>The dimensions of a matrix with what is added and taken out, as in GitHub Actions.</summary>
internal sealed record Matrix(IReadOnlyList<(string Name, ValueTemplate Values)> Dimensions, ValueTemplate? Include, ValueTemplate? Exclude)
{
    /// <summary>Every name that an item can have.</summary>
    public required IReadOnlySet<string> Names { get; init; }

    /// <summary>The combinations in the order of the file, each with its key.</summary>
    /// <exception cref="StepException">A dimension is not a list, or there are too many combinations.</exception>
    public IReadOnlyList<(string Key, ExpressionValue Value)> Expand(IExpressionScope scope)
    {
        var items = new List<Dictionary<string, ExpressionValue>> { new() };
        foreach (var (name, values) in Dimensions)
        {
            var list = ListOf(values.Evaluate(scope), $"The matrix dimension '{name}'");
            if ((long)items.Count * list.Count > FanOut.MaxItems) throw new StepException($"The matrix has more than {FanOut.MaxItems} combinations.");
            items = [.. items.SelectMany(item => list.Select(value => new Dictionary<string, ExpressionValue>(item) { [name] = value }))];
        }
        if (Dimensions.Count == 0) items.Clear();
        var excluded = Entries(Exclude, "exclude", scope);
        items.RemoveAll(item => excluded.Any(entry => entry.All(pair => item.TryGetValue(pair.Key, out var value) && value.IsEqualTo(pair.Value))));
        var keys = items.ToDictionary(item => item, item => string.Join(',', Dimensions.Select(dimension => item[dimension.Name].AsText())));
        var combinations = items.ToList();
        // An entry widens every combination whose own values it does not contradict; one that fits none is a combination of its own.
        foreach (var entry in Entries(Include, "include", scope))
        {
            var fits = combinations.Where(item => Dimensions.All(dimension => !entry.TryGetValue(dimension.Name, out var value) || item[dimension.Name].IsEqualTo(value))).ToList();
            foreach (var item in fits)
                foreach (var (name, value) in entry) item[name] = value;
            if (fits.Count > 0) continue;
            keys[entry] = string.Join(',', entry.Values.Select(value => value.AsText()));
            items.Add(entry);
        }
        return [.. items.Select(item => (keys[item], ExpressionValue.Of(item)))];
    }

    static List<Dictionary<string, ExpressionValue>> Entries(ValueTemplate? values, string what, IExpressionScope scope) => values is null ? [] :
    [
        .. ListOf(values.Evaluate(scope), $"'{what}' of the matrix").Select(entry => entry.AsMap() is { } map
            ? map.Keys.ToDictionary(key => key, key => map.Find(key)!)
            : throw new StepException($"'{what}' of the matrix must be a list of mappings.")),
    ];

    static IReadOnlyList<ExpressionValue> ListOf(ExpressionValue value, string what) =>
        value.AsList() ?? throw new StepException($"{what} must be a list, and is {ExpressionEvaluator.Describe(value)}.");
}

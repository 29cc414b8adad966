using System.Globalization;

namespace Pawl.Yaml;

/// <summary>What a shell step can read from its environment.</summary>
internal sealed record ShellFacts
{
    public required string RunId { get; init; }

    public required string Workflow { get; init; }

    /// <summary>The step's path.</summary>
    public required string Step { get; init; }

    public required int Attempt { get; init; }

    public required string IdempotencyKey { get; init; }

    public required bool IsResumed { get; init; }

    /// <summary>Params by name, as texts.</summary>
    public IReadOnlyDictionary<string, string> Params { get; init; } = new Dictionary<string, string>();

    /// <summary><c>PAWL_PARAM_</c> and the name in upper case, with <c>_</c> for everything but letters and digits.</summary>
    public static string ParamVariable(string name) =>
        "PAWL_PARAM_" + new string([.. name.Select(c => char.IsAsciiLetterOrDigit(c) ? char.ToUpperInvariant(c) : '_')]);

    /// <exception cref="StepException">Two params would have the same variable.</exception>
    public Dictionary<string, string> ToEnvironment()
    {
        var environment = new Dictionary<string, string>
        {
            ["PAWL_RUN_ID"] = RunId,
            ["PAWL_WORKFLOW"] = Workflow,
            ["PAWL_STEP"] = Step,
            ["PAWL_ATTEMPT"] = Attempt.ToString(CultureInfo.InvariantCulture),
            ["PAWL_IDEMPOTENCY_KEY"] = IdempotencyKey,
            ["PAWL_RESUMED"] = IsResumed ? "true" : "false",
        };
        foreach (var (name, value) in Params)
        {
            if (!environment.TryAdd(ParamVariable(name), value))
                throw new StepException($"Two params would both be {ParamVariable(name)} in the environment (one is '{name}'): rename one of them.");
        }
        return environment;
    }
}

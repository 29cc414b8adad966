namespace Pawl.Yaml;

/// <summary>A step of agents while it is executed: its definition, and what only the file can do for it.</summary>
internal sealed class AgentCall(StepContext context, FileContext file, AgentsDefinition definition, Surroundings around)
{
    readonly StepScope _scope = new(context, file, around, []);
    SecretMasker? _masker;

    public StepContext Context => context;

    public AgentsDefinition Definition => definition;

    public Configuration Configuration => file.Loading.Configuration;

    /// <summary>The folder the run was started in.</summary>
    public string Directory => file.Directory;

    /// <summary>What the start or a resume gave, and the file need not declare; null when it did not.</summary>
    public T? Given<T>(string param) => context.Params.TryGet(param, out var value) && value.Value.ToElement().ValueKind != System.Text.Json.JsonValueKind.Null ? context.Params.Get<T>(param) : default;

    /// <summary>The text with its values.</summary>
    public string Text(Template template) => template.Evaluate(_scope).AsText();

    /// <summary>Keys of models: a tool that prints its environment must not print them.</summary>
    public IReadOnlyList<string> Keys { get; set; } = [];

    /// <summary>The text without the values of secrets.</summary>
    public string Mask(string text) => (_masker ??= new SecretMasker([.. _scope.Secrets, .. Keys])).Mask(text);

    /// <summary>Variables of a tool with their values; they may hold secrets.</summary>
    public Dictionary<string, string> Values(IEnumerable<(string Name, Template Value)> pairs) => pairs.ToDictionary(pair => pair.Name, pair => Text(pair.Value));

    /// <summary>Runs a command for a tool. What the model gave is in the environment and never part of the text.</summary>
    /// <param name="tool">The sub-step of the call.</param>
    /// <param name="command">The command.</param>
    /// <param name="arguments">Environment variables.</param>
    /// <param name="purpose">Tells the command of a tool and its probe apart.</param>
    public Task<ShellOutcome> RunAsync(StepContext tool, CommandDefinition command, IReadOnlyDictionary<string, string> arguments, string purpose = "") =>
        ShellStep.ExecuteAsync(tool, file, command, new StepScope(tool, file, around, command.Env), purpose, arguments, Keys);
}

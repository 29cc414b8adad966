namespace Pawl.Yaml;

/// <summary>Executes a step of agents.</summary>
internal delegate Task<StepResult> AgentRunner(AgentCall call);

/// <summary>What whoever loads a file adds to it.</summary>
/// <param name="Configuration">Settings over the file's, and the models that agents name.</param>
/// <param name="Agents">Executes steps of agents; without it they are errors of the file.</param>
internal sealed record Loading(Configuration Configuration, AgentRunner? Agents)
{
    public static Loading Plain { get; } = new(Configuration.None, null);
}

namespace Pawl.Yaml;

/// <summary>Executes a step of agents.</summary>
internal delegate Task<StepResult> AgentRunner(AgentCall call);

/// <summary>What whoever loads a file adds to it.</summary>
/// <param name="Configuration">Settings over the file's, and the models that agents name.</param>
/// <param name="Agents">Executes steps of agents; without it they are errors of the file.</param>
/// <param name="Streams">Answers are shown while they come. Half an answer cannot be taken back, so not the call of a model is repeated but the step, which has all answers before it.</param>
internal sealed record Loading(Configuration Configuration, AgentRunner? Agents, bool Streams = false)
{
    public static Loading Plain { get; } = new(Configuration.None, null);
}

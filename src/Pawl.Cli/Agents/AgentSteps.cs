using Pawl.Yaml;

namespace Pawl.Cli.Agents;

/// <summary>Executes the steps <c>agent</c> and <c>agents</c> of workflow files.</summary>
static class AgentSteps
{
    public static Task<StepResult> RunAsync(AgentCall call) => throw new NotImplementedException();
}

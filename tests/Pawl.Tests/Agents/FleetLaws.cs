using Pawl.Agents;
using Pawl.Tests.Engine;

namespace Pawl.Tests.Agents;

public sealed class FleetLaws
{
    [Fact]
    public void A_fleet_works_in_rounds_until_the_request_is_satisfied() => Lab.Do(async lab =>
    {
        var client = new ScriptedChatClient(Fleets.Answers(4, "coder", "analyst"));
        var result = (await lab.Run(Fleets.Pair(client).ToWorkflow(), new { task = "What is it?" })).EnsureCompleted();
        Assert.Equal(new FleetAnswer("forty-two", 4, 0), result.Output<FleetAnswer>("fleet"));
        Assert.Equal(2 + (4 * 2), client.Calls);
        Assert.Equal([
            "fleet/begin", "fleet/plan/1/facts/chat/1", "fleet/plan/1/plan/chat/1", "fleet/plan/1",
            "fleet/round/1/ledger/chat/1", "fleet/round/1/coder/chat/1", "fleet/round/1",
            "fleet/round/2/ledger/chat/1", "fleet/round/2/analyst/chat/1", "fleet/round/2",
            "fleet/round/3/ledger/chat/1", "fleet/round/3/coder/chat/1", "fleet/round/3",
            "fleet/round/4/ledger/chat/1", "fleet/round/4/final/chat/1", "fleet/round/4", "fleet"], result.Executed);
    });
}

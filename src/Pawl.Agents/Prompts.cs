namespace Pawl.Agents;

/// <summary>What the orchestrator is told. The questions are those of the Magentic-One paper (arXiv 2411.04468), in our words. A change makes unfinished rounds ask anew.</summary>
static class Prompts
{
    public static string Team(IEnumerable<Agent> agents) => string.Join('\n', agents.Select(agent => $"- {agent.Name}: {agent.Description ?? "no description"}"));

    public static string Facts(string task) => $"""
        Below is a request. Before anything is done about it, write down what is known, as well as you can, under these four headings and nothing else:

        1. GIVEN OR VERIFIED FACTS: facts that the request itself states. There may be none.
        2. FACTS TO LOOK UP: facts that must be found, and where they might be found.
        3. FACTS TO DERIVE: facts that follow from others by thought or computation.
        4. EDUCATED GUESSES: what you recall or suppose.

        The request:

        {task}
        """;

    public static string Plan(string team) => $"""
        To answer the request there is this team:

        {team}

        Make a short plan as a list: what is to be done, by whom, in which order. Not every member need take part.
        """;

    public static string NewFacts(string task, string facts) => $"""
        There was no progress for some time, so let us begin anew. Here are the facts as they were written down; rewrite them with what was learned since: move guesses that were
        verified to the facts, correct what was wrong, and make at least one new educated guess. Use the same four headings.

        The request:

        {task}

        The facts so far:

        {facts}
        """;

    public static string NewPlan(string team) => $"""
        Say briefly what went wrong last time: what was the root of the failure? Then make a new plan, as a list, that avoids it and repeats no mistake. The team is still:

        {team}
        """;

    public static string Revise(string comment) => $"""
        A person read the plan and does not approve it: {comment}

        Write the plan anew, whole, with that taken into account.
        """;

    public static string Ledger(string task, string team, string facts, string plan) => $"""
        We work on this request:

        {task}

        The team:

        {team}

        The facts as we began:

        {facts}

        The plan:

        {plan}
        """;

    public static string Progress(string task, IEnumerable<Agent> agents) => $$"""
        Recall that we work on this request:

        {{task}}

        Answer these questions, each with a reason:

        - Is the request satisfied: was it answered whole?
        - Are we in a loop: is the same asked or done again and again? A loop may take several turns.
        - Is progress being made: do the newest messages add something of value, rather than the same obstacles?
        - Who speaks next? One of: {{string.Join(", ", agents.Select(agent => agent.Name))}}
        - What instruction or question do you give them? Speak to them directly, with all they need to know.

        Reply with one JSON object of this form, and nothing else:

        {
          "is_request_satisfied": { "reason": "…", "answer": true or false },
          "is_in_loop": { "reason": "…", "answer": true or false },
          "is_progress_being_made": { "reason": "…", "answer": true or false },
          "next_speaker": { "reason": "…", "answer": "name" },
          "instruction_or_question": { "reason": "…", "answer": "text" }
        }
        """;

    public static string Unusable(string problem) => $"Your reply cannot be used: {problem}. Reply once more, exactly in the form that was asked for, and nothing else.";

    public static string Final(string task) => $"""
        The work on this request is done:

        {task}

        The messages above hold what was found. Write the final answer, addressed to whoever made the request.
        """;

    public static string Text(string team) => $"""
        You lead a team that works on a request. The team:

        {team}

        Reply with one of these two, and nothing else:

        DELEGATE: agent - task
        FINAL_ANSWER: the answer

        Delegate one task at a time; you will see its result. As soon as the request is answered, give the final answer.
        """;

    public static string Again(string team) => $"""
        There was no progress for some time, so we begin anew: what was said is put aside. Take another way than before. The team is still:

        {team}
        """;
}

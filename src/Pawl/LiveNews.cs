namespace Pawl;

/// <summary>What the steps of a run said since one looked last.</summary>
/// <param name="Lines">In their order.</param>
/// <param name="Place">Where to go on, for the next look; null when there is nothing to look at.</param>
/// <param name="HasGap">What was said before <paramref name="Lines"/>, behind the place asked for, is gone: it comes with the steps' logs when they have ended.</param>
public sealed record LiveNews(IReadOnlyList<LiveLine> Lines, string? Place, bool HasGap);

/// <summary>One thing that a step said or did while it ran.</summary>
/// <param name="Step">Its path.</param>
/// <param name="Text">A line of its output with secrets masked, or what it told with its progress; null when it said nothing.</param>
/// <param name="IsError">The line is of the error stream.</param>
/// <param name="Attempt">An attempt, from 1, has begun; null otherwise.</param>
/// <param name="Fraction">How far it is, 0..1; null otherwise.</param>
/// <param name="HasEnded">The attempt has ended.</param>
public sealed record LiveLine(string Step, string? Text, bool IsError, int? Attempt, double? Fraction, bool HasEnded);

using System.Globalization;

namespace Pawl;

/// <summary>Ids for runs that were given none: <c>workflow_20251218_121530</c>, and <c>_2</c> … when that is taken. Thread safe.</summary>
/// <remarks>A client does not try again what it has tried, and goes further ahead the more of its ids others had: those who begin many runs in the same second find ids in a few tries.</remarks>
sealed class RunNames
{
    readonly Lock _lock = new();
    readonly Dictionary<string, int> _numbers = [];
    string _second = "";

    /// <param name="name">Of the workflow.</param>
    /// <param name="now">When the run begins.</param>
    /// <param name="taken">How many ids turned out to be taken already.</param>
    public string Next(string name, DateTimeOffset now, int taken)
    {
        var (stem, second) = (RunIds.ToStepId(name), now.UtcDateTime.ToString("yyyyMMdd_HHmmss", CultureInfo.InvariantCulture));
        lock (_lock)
        {
            if (second != _second) _numbers.Clear();
            _second = second;
            var number = _numbers.GetValueOrDefault(stem) + (1 << Math.Clamp(taken - 3, 0, 10));
            _numbers[stem] = number;
            return string.Create(CultureInfo.InvariantCulture, $"{stem}_{second}{(number > 1 ? $"_{number}" : "")}");
        }
    }
}

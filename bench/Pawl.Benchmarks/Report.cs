using System.Globalization;

namespace Pawl.Benchmarks;

/// <summary>Rows of the table in docs/performance.md.</summary>
static class Report
{
    public static bool Failed { get; private set; }

    public static void Header()
    {
        Console.WriteLine("| what | measured | limit or peer in the same run | ratio | goal | |");
        Console.WriteLine("|---|---:|---:|---:|---:|---|");
    }

    public static void Row(string what, string measured, string limit, string ratio, string goal, bool met)
    {
        Failed |= !met;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {what} | {measured} | {limit} | {ratio} | {goal} | {(met ? "met" : "MISSED")} |"));
    }

    public static string Number(double value, string unit, int digits = 0) => value.ToString($"N{digits}", CultureInfo.InvariantCulture) + " " + unit;
}

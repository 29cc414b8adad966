using System.Globalization;
using Pawl.Storage;

namespace Pawl.Cli.Input;

/// <summary>A queue with its limits, as written in a call: <c>mail:concurrency=4,worker=2,rate=10/1m,fair=customer</c>.</summary>
static class QueueText
{
    public static QueueOptions Parse(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        var name = colon < 0 ? text : text[..colon];
        if (!RunIds.IsValid(name)) throw new UsageException($"--queue '{text}': a queue's name has letters, digits and . _ -, at most 128.");
        var queue = new QueueOptions(name);
        foreach (var limit in colon < 0 ? [] : text[(colon + 1)..].Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            var (key, value) = limit.Split('=', 2) is [var k, var v] ? (k, v) : throw Wrong(limit);
            queue = key switch
            {
                "concurrency" => queue with { Concurrency = Whole(value) },
                "worker" => queue with { WorkerConcurrency = Whole(value) },
                "rate" when value.Split('/') is [var count, var per] => queue with { Rate = Whole(count), Per = Spans.Parse("--queue rate", per) },
                "fair" => queue with { FairBy = value },
                _ => throw Wrong(limit),
            };
        }
        return queue;

        int Whole(string number) => int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var whole) && whole > 0 ? whole : throw Wrong(number);
        UsageException Wrong(string part) => new($"--queue '{text}': '{part}' is not understood. Write NAME, or NAME:concurrency=4,worker=2,rate=10/1m,fair=KEY.");
    }
}

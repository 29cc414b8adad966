using System.Diagnostics;
using System.Net;
using System.Net.ServerSentEvents;
using Pawl.Dashboard;

namespace Pawl.Benchmarks;

/// <summary>Who asks the dashboard's API over HTTP: at a steady rate, or whenever it tells of a change.</summary>
static class DashboardLoad
{
    const int Rate = 50;

    public static async Task<HttpClient> OpenAsync(LocalDashboard server)
    {
        var http = new HttpClient(new SocketsHttpHandler { CookieContainer = new CookieContainer() }) { BaseAddress = new Uri(server.Address, "api/v1/") };
        (await http.GetAsync(server.Link)).EnsureSuccessStatusCode();
        return http;
    }

    /// <summary>Asks at times that are set beforehand, however long the answers take, so that a late answer makes no other one look early.</summary>
    /// <returns>Milliseconds from when each was due to the last byte, sorted.</returns>
    public static async Task<List<double>> RunAsync(HttpClient http, IReadOnlyList<string> paths, TimeSpan length, bool withTags)
    {
        var tags = new Dictionary<string, System.Net.Http.Headers.EntityTagHeaderValue>();
        var asked = new List<Task<double>>();
        var clock = Stopwatch.GetTimestamp();
        for (var number = 0; number < length.TotalSeconds * Rate; number++)
        {
            var due = TimeSpan.FromSeconds(number / (double)Rate);
            if (due - Stopwatch.GetElapsedTime(clock) is { } left && left > TimeSpan.Zero) await Task.Delay(left);
            asked.Add(AskAsync(paths[number % paths.Count], due));
        }
        return [.. (await Task.WhenAll(asked)).Order()];

        async Task<double> AskAsync(string path, TimeSpan due)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            lock (tags)
                if (withTags && tags.TryGetValue(path, out var tag)) request.Headers.IfNoneMatch.Add(tag);
            using var answer = await http.SendAsync(request);
            await answer.Content.ReadAsByteArrayAsync();
            if (answer.StatusCode is not (HttpStatusCode.OK or HttpStatusCode.NotModified)) throw new InvalidOperationException($"{path}: {answer.StatusCode}");
            lock (tags)
                if (answer.Headers.ETag is { } tag) tags[path] = tag;
            return (Stopwatch.GetElapsedTime(clock) - due).TotalMilliseconds;
        }
    }

    /// <summary>Watches as the page does: hears of a change, and asks for what changed.</summary>
    /// <returns>How many changes it was told, and how many bytes it was sent.</returns>
    public static async Task<(int Changes, long Bytes)> WatchAsync(HttpClient http, string feed, string path, CancellationToken stop)
    {
        var (changes, bytes) = (0, 0L);
        try
        {
            using var stream = await http.GetAsync(feed, HttpCompletionOption.ResponseHeadersRead, stop);
            await foreach (var told in SseParser.Create(await stream.Content.ReadAsStreamAsync(stop)).EnumerateAsync(stop))
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, path);
                request.Headers.Add("Pawl-Seen", told.EventId);
                using var answer = await http.SendAsync(request, stop);
                bytes += (await answer.Content.ReadAsByteArrayAsync(stop)).Length;
                changes++;
            }
        }
        catch (Exception error) when (stop.IsCancellationRequested && error is OperationCanceledException or IOException or HttpRequestException)
        {
            // It has seen enough.
        }
        return (changes, bytes);
    }

    public static double At(List<double> sorted, double part) => sorted[(int)Math.Min(sorted.Count - 1, Math.Ceiling(sorted.Count * part) - 1)];
}

using System.Diagnostics;
using Pawl.Storage;

namespace Pawl.Tests.Storage;

/// <summary>Several processes, and the death of one.</summary>
public sealed class FileStoreProcessTests : IDisposable
{
    readonly StoreDirectory _directory = new();
    readonly List<Process> _processes = [];

    public void Dispose()
    {
        foreach (var process in _processes)
        {
            if (!process.HasExited) process.Kill();
            process.Dispose();
        }
        _directory.Dispose();
    }

    static CancellationToken Token => TestContext.Current.CancellationToken;

    Process Start(string what)
    {
        var process = Process.Start(Subject.StartInfo(what, _directory.Root))!;
        _processes.Add(process);
        return process;
    }

    static async Task<string> Line(Process process) => await process.StandardOutput.ReadLineAsync(Token).AsTask().WaitAsync(TimeSpan.FromSeconds(60), Token) ?? "the process ended";

    async Task Create(params string[] runs)
    {
        await using var store = _directory.Open();
        foreach (var run in runs) await store.Create(new Chain(run));
    }

    [Fact]
    public async Task A_run_of_a_living_process_is_refused_and_that_of_a_killed_one_is_free_at_once()
    {
        await Create("etl_1");
        await using var store = _directory.Open();
        for (var round = 2; round <= 4; round++)
        {
            var holder = Start("hold");
            Assert.Equal($"HELD {round}", await Line(holder));
            Assert.Equal(holder.Id, (await store.Claim("etl_1")).HeldBy!.Pid);
            Assert.Equal(holder.Id, (await store.Find("etl_1"))!.Owner!.Pid);
            Assert.StartsWith($"REFUSED process {holder.Id} on ", await Line(Start("hold")), StringComparison.Ordinal);
            await Assert.ThrowsAsync<ResumeRefusedException>(async () => await store.DeleteAsync("etl_1", Token));
            holder.Kill();
            await holder.WaitForExitAsync(Token);
            Assert.Null((await store.Find("etl_1"))!.Owner);
        }
        Assert.Equal(5, (await store.Claim("etl_1")).Lease!.Token);
    }

    [Fact]
    public async Task Of_processes_that_race_for_a_run_one_wins_while_others_look()
    {
        var runs = Enumerable.Range(1, 200).Select(n => $"etl_{n}").ToArray();
        await Create(runs);
        Process[] racers = [Start("race"), Start("race"), Start("race")];
        foreach (var racer in racers) Assert.Equal("READY", await Line(racer));
        await using var store = _directory.Open();
        using var done = new CancellationTokenSource();
        // Whoever only looks must never make a claimer believe that the run is held.
        var looking = Task.Run(async () =>
        {
            while (!done.IsCancellationRequested) await store.List();
        }, Token);
        foreach (var run in runs)
        {
            foreach (var racer in racers) await racer.StandardInput.WriteLineAsync(run.AsMemory(), Token);
            foreach (var racer in racers) await racer.StandardInput.FlushAsync(Token);
            var answers = await Task.WhenAll(racers.Select(Line));
            Assert.True(answers.Count(answer => answer.StartsWith("WON", StringComparison.Ordinal)) == 1, $"{run}: {string.Join(", ", answers)}");
        }
        await done.CancelAsync();
        await looking;
    }

    [Fact]
    public async Task A_process_that_is_killed_at_any_moment_loses_nothing_that_it_acknowledged()
    {
        var random = new Random(1);
        for (var round = 0; round < 8; round++)
        {
            var writer = Start("endless");
            var last = 0;
            var until = Stopwatch.StartNew();
            var limit = TimeSpan.FromMilliseconds(20 + random.Next(200));
            while (last == 0 || until.Elapsed < limit) last = int.Parse((await Line(writer)).AsSpan(4));
            writer.Kill();
            foreach (var line in (await writer.StandardOutput.ReadToEndAsync(Token)).Split('\n')) last = line.StartsWith("ACK ", StringComparison.Ordinal) && int.TryParse(line.AsSpan(4), out var ack) ? ack : last;
            await writer.WaitForExitAsync(Token);
            await using var store = _directory.Open();
            var claim = await store.Claim("etl_1");
            var read = await store.Read("etl_1");
            Assert.InRange(read.Count, last, last + 2);
            Assert.False(read[^1].More);
            await store.ReleaseAsync(claim.Lease!, Token);
            Assert.True(await store.DeleteAsync("etl_1", Token));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_process_that_is_killed_while_its_runs_commit_together_loses_nothing_and_a_loss_of_power_behind_it_neither(bool power)
    {
        var random = new Random(2);
        for (var round = 0; round < 6; round++)
        {
            var writer = Start("endless-together");
            var last = 0;
            var until = Stopwatch.StartNew();
            var limit = TimeSpan.FromMilliseconds(20 + random.Next(200));
            while (last == 0 || until.Elapsed < limit) last = int.Parse((await Line(writer)).AsSpan(4));
            writer.Kill();
            foreach (var line in (await writer.StandardOutput.ReadToEndAsync(Token)).Split('\n')) last = line.StartsWith("ACK ", StringComparison.Ordinal) && int.TryParse(line.AsSpan(4), out var ack) ? ack : last;
            await writer.WaitForExitAsync(Token);
            string[] runs = ["etl_1", "etl_2", "etl_3"];
            if (power) foreach (var run in runs) await LosePower(_directory.Journal(run), random);

            await using (var store = _directory.Open())
            {
                foreach (var run in runs) Assert.InRange((await store.Read(run)).Count, last, last + 2);
                foreach (var run in runs) Assert.NotNull((await store.Claim(run)).Lease);
                Assert.False(File.Exists(_directory.Of(".group", "1")));
            }
            await using var again = _directory.Open();
            foreach (var run in runs)
            {
                Assert.InRange((await again.Read(run)).Count, last, last + 2);
                Assert.True(await again.DeleteAsync(run, Token));
            }
        }
    }

    /// <summary>Only what the run's first three commits wrote was flushed; of the rest blocks may be there or not.</summary>
    static async Task LosePower(string journal, Random random)
    {
        var bytes = await File.ReadAllBytesAsync(journal, Token);
        var flushed = 0;
        for (var line = 0; line < 2; line++) flushed = Array.IndexOf(bytes, (byte)'\n', flushed) + 1;
        for (var at = flushed; at < bytes.Length; at += 128)
            if (random.Next(2) == 0) bytes.AsSpan(at, Math.Min(128, bytes.Length - at)).Clear();
        await File.WriteAllBytesAsync(journal, bytes[..random.Next(flushed, bytes.Length + 1)], Token);
    }
}

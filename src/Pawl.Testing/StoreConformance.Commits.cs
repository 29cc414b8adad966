using System.Security.Cryptography;
using Pawl.Storage;

namespace Pawl.Testing;

// Commits and claims.
public static partial class StoreConformance
{
    static IEnumerable<StoreLaw> Committing()
    {
        yield return Law("Committed records come back in their order, byte for byte", async (store, cancellation) =>
        {
            var run = await LawRun.BeginAsync(store, cancellation);
            for (var i = 0; i < 20; i++) await run.AppendAsync(cancellation, run.Step($"s{i}", $"{i}"));
            await run.IsWholeAsync(store, cancellation);
        });
        yield return Law("What was acknowledged is there for another instance at once", async (one, two, cancellation) =>
        {
            var run = await LawRun.BeginAsync(one, cancellation);
            for (var i = 0; i < 5; i++)
            {
                await run.AppendAsync(cancellation, run.Step($"s{i}"));
                await run.IsWholeAsync(two, cancellation);
            }
        });
        yield return Law("Records of one commit are there together", async (store, cancellation) =>
        {
            var run = await LawRun.BeginAsync(store, cancellation);
            await run.AppendAsync(cancellation, run.Steps(50));
            await run.IsWholeAsync(store, cancellation);
        });
        yield return Law("A reader never sees a part of a commit", async (one, two, cancellation) =>
        {
            var run = await LawRun.BeginAsync(one, cancellation);
            using var ended = new CancellationTokenSource();
            var reader = Task.Run(async () =>
            {
                while (!ended.IsCancellationRequested)
                {
                    // Two records, then groups of ten.
                    var seen = (await Expect.ListAsync(two.ReadAsync(run.Id, 1, cancellation))).Count;
                    Expect.Holds(seen % 10 == 2, $"a reader saw {seen} records, which is no whole number of commits");
                }
            }, cancellation);
            for (var i = 0; i < 30; i++) await run.AppendAsync(cancellation, run.Steps(10));
            ended.Cancel();
            await reader;
        });
        yield return Law("The same commit sent again is acknowledged and changes nothing", async (store, cancellation) =>
        {
            var run = await LawRun.BeginAsync(store, cancellation);
            var commit = run.Commit(run.Steps(3));
            await run.AppendAsync(commit, cancellation);
            Expect.Holds(await store.CommitAsync(commit, cancellation) == CommitResult.Committed, "it was refused");
            await run.IsWholeAsync(store, cancellation);
        });
        yield return Law("A commit that leaves a gap is a conflict and writes nothing", async (store, cancellation) =>
        {
            var run = await LawRun.BeginAsync(store, cancellation);
            var steps = run.Steps(3);
            Expect.Holds(await store.CommitAsync(run.Commit(steps) with { Records = [steps[1], steps[2]] }, cancellation) == CommitResult.Conflict, "it was not");
            await run.IsWholeAsync(store, cancellation);
        });
        yield return Law("Another record for a place that is taken is a conflict and writes nothing", async (store, cancellation) =>
        {
            var run = await LawRun.BeginAsync(store, cancellation);
            var other = run.Commit(run.Step("other"));
            await run.AppendAsync(cancellation, run.Step("first"));
            Expect.Holds(await store.CommitAsync(other, cancellation) == CommitResult.Conflict, "it was not");
            await run.IsWholeAsync(store, cancellation);
        });
        yield return Law("Of two commits for one place exactly one is written", async (store, cancellation) =>
        {
            var run = await LawRun.BeginAsync(store, cancellation);
            var commits = Enumerable.Range(0, 8).Select(i => run.Commit(run.Step($"rival{i}"))).ToArray();
            var results = await Task.WhenAll(commits.Select(commit => Task.Run(async () => await store.CommitAsync(commit, cancellation), cancellation)));
            Expect.Holds(results.Count(result => result == CommitResult.Committed) == 1, $"{results.Count(result => result == CommitResult.Committed)} of 8 were");
            run.Accept(commits[Array.IndexOf(results, CommitResult.Committed)]);
            await run.IsWholeAsync(store, cancellation);
        });
        yield return Law("A commit to a run that does not exist writes nothing", async (store, cancellation) =>
        {
            var run = await LawRun.BeginAsync(store, cancellation);
            var commit = run.Commit(run.Step("a")) with { Lease = new RunLease(LawRun.NewId(), 1) };
            Expect.Holds(await store.CommitAsync(commit, cancellation) != CommitResult.Committed, "it was acknowledged");
            Expect.Holds(await store.FindAsync(commit.Lease.RunId, cancellation) is null, "the run exists now");
        });
        yield return Law("A record of one megabyte comes back whole", async (store, cancellation) =>
        {
            var run = await LawRun.BeginAsync(store, cancellation);
            await run.AppendAsync(cancellation, run.Step("big", "\"" + new string('x', 1 << 20) + "\""));
            await run.AppendAsync(cancellation, run.Step("small"));
            await run.IsWholeAsync(store, cancellation);
        });
        yield return Law("Any text comes back as it was", async (store, cancellation) =>
        {
            var run = await LawRun.BeginAsync(store, cancellation);
            foreach (var path in new[] { "ü/日本[🚀]", "a b", "quote\"back\\slash", "zero\u0000tab\t", "\u2028line\u2029", "'; drop table runs; --", "%00{0}$(id)`id`" })
                await run.AppendAsync(cancellation, run.Step(path, """{"n":1234567890123456789012345678901234567890.10,"t":"\ud83d\ude80 ünï"}"""));
            await run.IsWholeAsync(store, cancellation);
        });
        yield return Law("Payloads come back whole, also empty and large ones", async (store, cancellation) =>
        {
            var run = await LawRun.BeginAsync(store, cancellation);
            var payloads = new[] { 0, 1, 4096, 3_000_000 }.Select(Payload).ToArray();
            await run.AppendAsync(run.Commit(run.Step("a")) with { Payloads = payloads }, cancellation);
            foreach (var payload in payloads) await ComesBackAsync(store, run.Id, payload, cancellation);
            await run.IsWholeAsync(store, cancellation);
        });
        yield return Law("A store that tells its size has room for all that was written", async (store, cancellation) =>
        {
            if (await Measure(store, cancellation) is null) return;
            var run = await LawRun.BeginAsync(store, cancellation);
            // No store can write this shorter.
            var content = new byte[3_000_000];
            new Random(1).NextBytes(content);
            await run.AppendAsync(run.Commit(run.Step("a")) with { Payloads = [new Payload(new PayloadRef(Convert.ToHexStringLower(SHA256.HashData(content)), content.Length), content)] }, cancellation);
            Expect.Holds((await Measure(store, cancellation))!.Bytes >= content.Length, "it takes less room than what was written");

            static async Task<StoreSize?> Measure(ICheckpointStore store, CancellationToken cancellation) => await ((IMeasuredStore)store).MeasureAsync(cancellation);
        });
        yield return Law("The same payload may come with several commits", async (store, cancellation) =>
        {
            var run = await LawRun.BeginAsync(store, cancellation);
            for (var i = 0; i < 3; i++) await run.AppendAsync(run.Commit(run.Step($"s{i}")) with { Payloads = [Payload(5000)] }, cancellation);
            await ComesBackAsync(store, run.Id, Payload(5000), cancellation);
        });
        yield return Law("A payload of another run is not there", async (store, cancellation) =>
        {
            var (one, two) = (await LawRun.BeginAsync(store, cancellation), await LawRun.BeginAsync(store, cancellation));
            await one.AppendAsync(one.Commit(one.Step("a")) with { Payloads = [Payload(100)] }, cancellation);
            await Expect.ThrowsAsync<JournalCorruptException>(async () => await store.ReadPayloadAsync(two.Id, Payload(100).Ref, cancellation), "it is");
        });
        yield return Law("Commits that are made together keep their own records and payloads, however many each has", async (store, cancellation) =>
        {
            List<LawRun> runs = [];
            for (var n = 0; n < 4; n++) runs.Add(await LawRun.BeginAsync(store, cancellation));
            List<Commit> commits = [.. runs.Select((run, n) => run.Commit(run.Steps(n == 2 ? 40 : n + 1)) with { Payloads = [.. Enumerable.Range(0, n).Select(size => Payload(1000 * n + size))] })];
            var results = await store.CommitAsync(commits, cancellation);
            Expect.Holds(results.All(result => result == CommitResult.Committed), $"they were answered with {string.Join(", ", results)}");
            for (var n = 0; n < 4; n++)
            {
                runs[n].Accept(commits[n]);
                await runs[n].IsWholeAsync(store, cancellation);
                foreach (var payload in commits[n].Payloads) await ComesBackAsync(store, runs[n].Id, payload, cancellation);
            }
        });
        yield return Law("A commit that meets a cancelled token is either refused before anything is written, or whole", async (store, cancellation) =>
        {
            var run = await LawRun.BeginAsync(store, cancellation);
            var commit = run.Commit(run.Steps(3));
            try
            {
                if (await store.CommitAsync(commit, new CancellationToken(true)) == CommitResult.Committed) run.Accept(commit);
            }
            catch (OperationCanceledException)
            {
                // Then nothing is there.
            }
            await run.IsWholeAsync(store, cancellation);
        });
        yield return Law("Sixteen writers on their own runs do not disturb each other", async (one, two, cancellation) =>
        {
            var runs = await Task.WhenAll(Enumerable.Range(0, 16).Select(i => Task.Run(async () =>
            {
                var run = await LawRun.BeginAsync(i % 2 == 0 ? one : two, cancellation);
                for (var n = 0; n < 25; n++) await run.AppendAsync(cancellation, n % 5 == 0 ? run.Steps(3) : [run.Step($"w{i}_{n}", $"\"{i}\"")]);
                return run;
            }, cancellation)));
            foreach (var run in runs) await run.IsWholeAsync(one, cancellation);
        });
    }

    static IEnumerable<StoreLaw> Claiming()
    {
        yield return Law("A run that is held is not given to another", async (one, two, cancellation) =>
        {
            var run = await LawRun.BeginAsync(one, cancellation);
            foreach (var store in new[] { one, two })
            {
                var claim = await store.ClaimAsync(run.Id, LawRun.Owner(3), cancellation);
                Expect.Holds(claim.Lease is null && claim.HeldBy is not null, "it was");
            }
            await run.AppendAsync(cancellation, run.Step("a"));
            await run.IsWholeAsync(one, cancellation);
        });
        yield return Law("A released run can be claimed again, by another instance too", async (one, two, cancellation) =>
        {
            var run = await LawRun.BeginAsync(one, cancellation);
            await run.ReleaseAsync(cancellation);
            var claim = await two.ClaimAsync(run.Id, LawRun.Owner(3), cancellation);
            Expect.Holds(claim.Lease is not null, "it cannot");
            await two.ReleaseAsync(claim.Lease!, cancellation);
            await run.ClaimAsync(cancellation);
        });
        yield return Law("Of many that claim a run at once exactly one gets it", async (one, two, cancellation) =>
        {
            var run = await LawRun.CreateAsync(one, null, cancellation);
            var claims = await Task.WhenAll(Enumerable.Range(0, 16).Select(i => Task.Run(async () => await (i % 2 == 0 ? one : two).ClaimAsync(run.Id, LawRun.Owner(i), cancellation), cancellation)));
            Expect.Holds(claims.Count(claim => claim.Lease is not null) == 1, $"{claims.Count(claim => claim.Lease is not null)} of 16 did");
            Expect.Holds(claims.All(claim => claim.Lease is not null || claim.HeldBy is not null), "a loser was not told who holds it");
        });
        yield return Law("Each claim raises the run's token", async (one, two, cancellation) =>
        {
            var run = await LawRun.BeginAsync(one, cancellation);
            var last = run.Lease!.Token;
            for (var i = 0; i < 4; i++)
            {
                await run.ReleaseAsync(cancellation);
                Expect.Holds((await run.ClaimAsync(cancellation)).Token > last, $"the token {run.Lease!.Token} followed {last}");
                last = run.Lease.Token;
                await run.ReleaseAsync(cancellation);
                var other = await two.ClaimAsync(run.Id, LawRun.Owner(i), cancellation);
                Expect.Holds(other.Lease!.Token > last, $"the token {other.Lease.Token} of another instance followed {last}");
                last = other.Lease.Token;
                await two.ReleaseAsync(other.Lease, cancellation);
                await run.ClaimAsync(cancellation);
                last = run.Lease.Token;
            }
        });
        yield return Law("A token grows also when its holder wrote nothing", async (store, cancellation) =>
        {
            var run = await LawRun.CreateAsync(store, null, cancellation);
            var tokens = new List<long>();
            for (var i = 0; i < 5; i++)
            {
                tokens.Add((await run.ClaimAsync(cancellation)).Token);
                await run.ReleaseAsync(cancellation);
            }
            Expect.Holds(tokens.Zip(tokens.Skip(1)).All(pair => pair.First < pair.Second), $"the tokens were {string.Join(", ", tokens)}");
        });
        yield return Law("An older token cannot commit, and nothing of its commit is written", async (store, cancellation) =>
        {
            var run = await LawRun.BeginAsync(store, cancellation);
            var stale = run.Commit(run.Steps(2)) with { Payloads = [Payload(300)] };
            await run.ReleaseAsync(cancellation);
            await run.ClaimAsync(cancellation);
            Expect.Holds(await store.CommitAsync(stale, cancellation) == CommitResult.LeaseLost, "it was not answered with LeaseLost");
            await run.IsWholeAsync(store, cancellation);
            await Expect.ThrowsAsync<JournalCorruptException>(async () => await store.ReadPayloadAsync(run.Id, Payload(300).Ref, cancellation), "its payload was written");
            await run.AppendAsync(cancellation, run.Step("mine"));
        });
        yield return Law("An older token cannot commit from another instance either", async (one, two, cancellation) =>
        {
            var run = await LawRun.BeginAsync(one, cancellation);
            var stale = run.Commit(run.Step("stale"));
            await run.ReleaseAsync(cancellation);
            var taken = await two.ClaimAsync(run.Id, LawRun.Owner(3), cancellation);
            Expect.Holds(await one.CommitAsync(stale, cancellation) == CommitResult.LeaseLost, "it was not answered with LeaseLost");
            await run.IsWholeAsync(two, cancellation);
            await two.ReleaseAsync(taken.Lease!, cancellation);
        });
        yield return Law("A token that was never given cannot commit", async (store, cancellation) =>
        {
            var run = await LawRun.BeginAsync(store, cancellation);
            Expect.Holds(await store.CommitAsync(run.Commit(run.Step("a")) with { Lease = new RunLease(run.Id, run.Lease!.Token + 1) }, cancellation) == CommitResult.LeaseLost, "it could");
            await run.IsWholeAsync(store, cancellation);
        });
        yield return Law("A released lease can no longer commit", async (store, cancellation) =>
        {
            var run = await LawRun.BeginAsync(store, cancellation);
            var commit = run.Commit(run.Step("late"));
            await run.ReleaseAsync(cancellation);
            Expect.Holds(await store.CommitAsync(commit, cancellation) == CommitResult.LeaseLost, "it could");
            await run.IsWholeAsync(store, cancellation);
        });
        yield return Law("Releasing a lease that was lost takes nothing from its successor", async (store, cancellation) =>
        {
            var run = await LawRun.BeginAsync(store, cancellation);
            var lost = run.Lease!;
            await run.ReleaseAsync(cancellation);
            await run.ClaimAsync(cancellation);
            await store.ReleaseAsync(lost, cancellation);
            Expect.Holds((await store.ClaimAsync(run.Id, LawRun.Owner(3), cancellation)).Lease is null, "the run could be claimed");
            await run.AppendAsync(cancellation, run.Step("a"));
        });
        yield return Law("Releasing twice, or what never was, is no error", async (store, cancellation) =>
        {
            var run = await LawRun.BeginAsync(store, cancellation);
            await run.ReleaseAsync(cancellation);
            await run.ReleaseAsync(cancellation);
            await store.ReleaseAsync(new RunLease(LawRun.NewId(), 1), cancellation);
        });
        yield return Law("A lease in force can be renewed, a lost one cannot", async (store, cancellation) =>
        {
            var run = await LawRun.BeginAsync(store, cancellation);
            await store.RenewAsync(run.Lease!, cancellation);
            var lost = run.Lease!;
            await run.ReleaseAsync(cancellation);
            await run.ClaimAsync(cancellation);
            await Expect.ThrowsAsync<LeaseLostException>(async () => await store.RenewAsync(lost, cancellation), "a lost lease was renewed");
        });
        yield return Law("A run that does not exist cannot be claimed", async (store, cancellation) =>
        {
            var claim = await store.ClaimAsync(LawRun.NewId(), LawRun.Owner(), cancellation);
            Expect.Holds(claim.Lease is null && claim.HeldBy is null, "it could");
        });
        yield return Law("A claim changes no record, and the next process goes on behind the last one", async (one, two, cancellation) =>
        {
            var run = await LawRun.BeginAsync(one, cancellation);
            await run.AppendAsync(cancellation, run.Steps(3));
            await run.ReleaseAsync(cancellation);
            var lease = (await two.ClaimAsync(run.Id, LawRun.Owner(3), cancellation)).Lease!;
            await run.IsWholeAsync(two, cancellation);
            var commit = run.Commit(run.Line("resumed", "\"token\":" + lease.Token)) with { Lease = lease };
            Expect.Holds(await two.CommitAsync(commit, cancellation) == CommitResult.Committed, "its commit was refused");
            run.Accept(commit);
            await run.IsWholeAsync(one, cancellation);
            await two.ReleaseAsync(lease, cancellation);
        });
        yield return Law("The head names the owner while a run is held, and nobody afterwards", async (one, two, cancellation) =>
        {
            var run = await LawRun.BeginAsync(one, cancellation);
            Expect.Holds((await two.FindAsync(run.Id, cancellation))?.Owner?.Host == "law", "it does not name the owner");
            await run.ReleaseAsync(cancellation);
            Expect.Holds((await two.FindAsync(run.Id, cancellation))!.Owner is null, "it names somebody afterwards");
        });
    }

    static Payload Payload(int size)
    {
        var content = new byte[size];
        for (var i = 0; i < size; i++) content[i] = (byte)(i * 31 + size);
        return new Payload(new PayloadRef(Convert.ToHexStringLower(SHA256.HashData(content)), size), content);
    }

    static async Task ComesBackAsync(ICheckpointStore store, string runId, Payload payload, CancellationToken cancellation) =>
        Expect.Holds((await store.ReadPayloadAsync(runId, payload.Ref, cancellation)).Span.SequenceEqual(payload.Content.Span), $"a payload of {payload.Ref.Bytes} bytes came back otherwise");
}

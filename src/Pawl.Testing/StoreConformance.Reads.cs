using Pawl.Storage;

namespace Pawl.Testing;

// Reads, lists, messages, removal.
public static partial class StoreConformance
{
    static IEnumerable<StoreLaw> Reading()
    {
        yield return Law("A run that does not exist has no head and an empty journal", async (store, cancellation) =>
        {
            var id = LawRun.NewId();
            Expect.Holds(await store.FindAsync(id, cancellation) is null, "it has a head");
            Expect.Holds((await Expect.ListAsync(store.ReadAsync(id, 1, cancellation))).Count == 0, "it has records");
            Expect.Holds((await store.InboxAsync(id, cancellation)).Count == 0, "it has messages");
        });
        yield return Law("A journal is read from any sequence number on", async (store, cancellation) =>
        {
            var run = await LawRun.BeginAsync(store, cancellation);
            await run.AppendAsync(cancellation, run.Steps(6));
            await run.AppendAsync(cancellation, run.Step("last"));
            for (var from = 0; from <= 11; from++)
            {
                var seqs = (await Expect.ListAsync(store.ReadAsync(run.Id, from, cancellation))).Select(record => record.Seq);
                var expected = Enumerable.Range(1, 9).Where(seq => seq >= from).Select(seq => (long)seq);
                Expect.Holds(seqs.SequenceEqual(expected), $"from {from} came {string.Join(", ", seqs)}");
            }
        });
        yield return Law("Every record that is read can be decoded and chained", async (store, cancellation) =>
        {
            var run = await LawRun.BeginAsync(store, cancellation);
            await run.AppendAsync(cancellation, run.Step("a", "{\"x\":[1,2]}", ",\"state\":{\"k\":null},\"metrics\":{\"m\":0.5},\"data\":{\"exit_code\":0}"));
            var record = (await Expect.ListAsync(store.ReadAsync(run.Id, 3, cancellation))).Single();
            Expect.Holds((record.Kind, record.Path, record.Status, record.Attempt) == (CheckpointKind.Step, "a", StepStatus.Completed, 1), "its members differ");
            Expect.Holds((new RawJson(record.Output).ToString(), new RawJson(record.State).ToString(), new RawJson(record.Data).ToString()) == ("{\"x\":[1,2]}", "{\"k\":null}", "{\"exit_code\":0}"), "its raw members differ");
            Expect.Holds(await new PawlClient(store).VerifyAsync(run.Id, cancellation) is [], "it does not verify");
        });
        yield return Law("Reads change nothing and take nothing from the holder", async (one, two, cancellation) =>
        {
            var run = await LawRun.BeginAsync(one, cancellation);
            await run.AppendAsync(cancellation, run.Steps(3));
            for (var i = 0; i < 3; i++)
            {
                await two.FindAsync(run.Id, cancellation);
                await Expect.ListAsync(two.ListAsync(new RunQuery { Limit = 5 }, cancellation));
                await Expect.ListAsync(two.ReadAsync(run.Id, 2, cancellation));
                await two.InboxAsync(run.Id, cancellation);
            }
            await run.AppendAsync(cancellation, run.Step("after"));
            await run.IsWholeAsync(two, cancellation);
        });
        yield return Law("A reader that stops early leaves the store as it was", async (store, cancellation) =>
        {
            var run = await LawRun.BeginAsync(store, cancellation);
            await run.AppendAsync(cancellation, run.Steps(20));
            for (var i = 0; i < 5; i++)
                await foreach (var record in store.ReadAsync(run.Id, 1, cancellation))
                    if (record.Seq > i) break;
            await run.AppendAsync(cancellation, run.Step("after"));
            await run.IsWholeAsync(store, cancellation);
        });
        yield return Law("A payload that was never written is reported as missing", async (store, cancellation) =>
        {
            var run = await LawRun.BeginAsync(store, cancellation);
            await Expect.ThrowsAsync<JournalCorruptException>(async () => await store.ReadPayloadAsync(run.Id, Payload(77).Ref, cancellation), "it was found");
        });
        yield return Law("A payload's name is never used as a path", async (store, cancellation) =>
        {
            var run = await LawRun.BeginAsync(store, cancellation);
            foreach (var name in new[] { "../checkpoint.json", "/etc/passwd", "", "..", new string('a', 63) + "/" })
                await Expect.ThrowsAsync<Exception>(async () => await store.ReadPayloadAsync(run.Id, new PayloadRef(name, 1), cancellation), $"'{name}' was read");
        });
        yield return Law("Reading stops when it is cancelled", async (store, cancellation) =>
        {
            var run = await LawRun.BeginAsync(store, cancellation);
            await run.AppendAsync(cancellation, run.Steps(20));
            await Expect.ThrowsAsync<OperationCanceledException>(async () => await Expect.ListAsync(store.ReadAsync(run.Id, 1, new CancellationToken(true))), "a journal was read to its end");
            await Expect.ThrowsAsync<OperationCanceledException>(async () => await Expect.ListAsync(store.ListAsync(new RunQuery(), new CancellationToken(true))), "the list was read to its end");
        });
    }

    static IEnumerable<StoreLaw> Listing()
    {
        yield return Law("Heads are listed newest first, by the time of creation and then by id", async (store, cancellation) =>
        {
            var workflow = LawRun.NewId();
            var runs = new List<LawRun>();
            foreach (var second in new[] { 30, 10, 20, 20, 40 }) runs.Add(await LawRun.BeginAsync(store, cancellation, workflow: workflow, second: second));
            await runs[1].AppendAsync(cancellation, runs[1].Steps(100));
            var expected = runs.OrderByDescending(run => run.Head.CreatedAt).ThenByDescending(run => run.Id, StringComparer.Ordinal).Select(run => run.Id);
            Expect.Holds((await ListAsync(store, new RunQuery { Workflow = workflow }, cancellation)).SequenceEqual(expected), "they are not");
        });
        yield return Law("A limit cuts the list behind the newest", async (store, cancellation) =>
        {
            var workflow = LawRun.NewId();
            var ids = new List<string>();
            for (var i = 0; i < 6; i++) ids.Insert(0, (await LawRun.BeginAsync(store, cancellation, workflow: workflow, second: i)).Id);
            for (var limit = 0; limit <= 7; limit++)
                Expect.Holds((await ListAsync(store, new RunQuery { Workflow = workflow, Limit = limit }, cancellation)).SequenceEqual(ids.Take(limit)), $"a limit of {limit} gives others");
        });
        yield return Law("Pages behind one another are the whole list", async (store, cancellation) =>
        {
            var workflow = LawRun.NewId();
            foreach (var second in new[] { 5, 3, 3, 3, 9, 1, 3 }) await LawRun.BeginAsync(store, cancellation, workflow: workflow, second: second);
            var all = await ListAsync(store, new RunQuery { Workflow = workflow }, cancellation);
            for (var size = 1; size <= 3; size++)
            {
                var (pages, query) = (new List<string>(), new RunQuery { Workflow = workflow, Statuses = [RunStatus.Running, RunStatus.Failed], Limit = size });
                while (await Expect.ListAsync(store.ListAsync(query, cancellation)) is { Count: > 0 } page)
                {
                    pages.AddRange(page.Select(head => head.RunId));
                    query = query with { Behind = new RunPlace(page[^1].CreatedAt, page[^1].RunId) };
                }
                Expect.Holds(pages.SequenceEqual(all), $"pages of {size} are not");
            }
        });
        yield return Law("Conditions of a query hold together", async (store, cancellation) =>
        {
            var workflow = LawRun.NewId();
            var paused = await LawRun.BeginAsync(store, cancellation, workflow: workflow, data: ""","tags":{"team":"docs"},"partition":{"date":"a"}""", second: 1);
            await paused.AppendAsync(cancellation, paused.Line("paused", "\"reason\":\"law\""));
            var running = await LawRun.BeginAsync(store, cancellation, workflow: workflow, data: ""","tags":{"team":"docs"},"partition":{"date":"b"}""", second: 2);
            var other = await LawRun.BeginAsync(store, cancellation, workflow: workflow + "x", second: 3);
            await Finds(new RunQuery(), running, paused);
            await Finds(new RunQuery { Statuses = [RunStatus.Paused] }, paused);
            await Finds(new RunQuery { Statuses = [RunStatus.Paused, RunStatus.Running] }, running, paused);
            await Finds(new RunQuery { Statuses = [] });
            await Finds(new RunQuery { Where = new Dictionary<string, string> { ["team"] = "docs", ["date"] = "b" } }, running);
            await Finds(new RunQuery { Where = new Dictionary<string, string> { ["team"] = "DOCS" } });
            await Finds(new RunQuery { Since = running.Head.CreatedAt }, running);
            Expect.Holds((await ListAsync(store, new RunQuery { Workflow = workflow + "x" }, cancellation)).SequenceEqual([other.Id]), "the other workflow's run is not found");

            async Task Finds(RunQuery query, params LawRun[] runs)
            {
                var found = await ListAsync(store, query with { Workflow = workflow }, cancellation);
                Expect.Holds(found.SequenceEqual(runs.Select(run => run.Id)), $"{query} found {found.Count} runs");
            }
        });
        yield return Law("Runs are counted by status as they are listed, up to the limit", async (store, cancellation) =>
        {
            var workflow = LawRun.NewId();
            for (var i = 0; i < 5; i++)
            {
                var run = await LawRun.BeginAsync(store, cancellation, workflow: workflow, data: $$""","tags":{"half":"{{i % 2}}"}""", second: i);
                if (i < 2) await run.AppendAsync(cancellation, run.Line("paused", "\"reason\":\"law\""));
            }
            foreach (var query in new[]
            {
                new RunQuery(), new RunQuery { Limit = 2 }, new RunQuery { Limit = 0 }, new RunQuery { Statuses = [RunStatus.Paused, RunStatus.Paused] }, new RunQuery { Statuses = [] },
                new RunQuery { Where = new Dictionary<string, string> { ["half"] = "1" } }, new RunQuery { Since = (await FirstAsync()).CreatedAt },
            })
            {
                var counts = await store.CountAsync(query with { Workflow = workflow }, cancellation);
                Expect.Holds(counts.Count == (query.Statuses ?? Enum.GetValues<RunStatus>()).Distinct().Count(), $"{query} counted {counts.Count} statuses");
                foreach (var (status, count) in counts)
                {
                    var listed = (await ListAsync(store, query with { Workflow = workflow, Statuses = [status] }, cancellation)).Count;
                    Expect.Holds(count == listed, $"{query}: {count} of {status} were counted, {listed} are listed");
                }
            }

            async Task<RunHead> FirstAsync() => (await Expect.ListAsync(store.ListAsync(new RunQuery { Workflow = workflow, Limit = 1 }, cancellation)))[0];
        });
        yield return Law("A listed head is the head that is found", async (store, cancellation) =>
        {
            var workflow = LawRun.NewId();
            var run = await LawRun.BeginAsync(store, cancellation, workflow: workflow);
            await run.AppendAsync(cancellation, run.Steps(2));
            var listed = (await Expect.ListAsync(store.ListAsync(new RunQuery { Workflow = workflow }, cancellation))).Single();
            var found = (await store.FindAsync(run.Id, cancellation))!;
            Expect.Holds(Expect.Describe(listed) == Expect.Describe(found) && listed.Owner == found.Owner, "they differ");
        });
        yield return Law("A list taken while others write misses no run that was there before", async (one, two, cancellation) =>
        {
            var workflow = LawRun.NewId();
            var before = new List<string>();
            for (var i = 0; i < 8; i++) before.Add((await LawRun.BeginAsync(one, cancellation, workflow: workflow, second: i)).Id);
            var writer = Task.Run(async () =>
            {
                for (var i = 0; i < 12; i++)
                {
                    var run = await LawRun.BeginAsync(one, cancellation, workflow: workflow, second: 100 + i);
                    await run.AppendAsync(cancellation, run.Steps(2));
                }
            }, cancellation);
            do
            {
                var listed = await ListAsync(two, new RunQuery { Workflow = workflow }, cancellation);
                Expect.Holds(before.All(listed.Contains), "it does");
                Expect.Holds(listed.Distinct().Count() == listed.Count, "it names a run twice");
            }
            while (!writer.IsCompleted);
            await writer;
            Expect.Holds((await ListAsync(two, new RunQuery { Workflow = workflow }, cancellation)).Count == 20, "a run is missing afterwards");
        });
    }

    static IEnumerable<StoreLaw> Messages()
    {
        yield return Law("Messages arrive in the order in which they were sent", async (one, two, cancellation) =>
        {
            var run = await LawRun.BeginAsync(one, cancellation);
            for (var i = 0; i < 12; i++) Expect.Holds(await two.PostAsync(run.Id, Message($"m{11 - i}"), cancellation), $"message {i} was refused");
            var names = (await one.InboxAsync(run.Id, cancellation)).Select(message => message.Name).ToList();
            Expect.Holds(names.SequenceEqual(Enumerable.Range(0, 12).Select(i => $"m{11 - i}")), $"they came as {string.Join(", ", names)}");
        });
        yield return Law("The first message to a name wins and is kept", async (one, two, cancellation) =>
        {
            var run = await LawRun.BeginAsync(one, cancellation);
            Expect.Holds(await one.PostAsync(run.Id, Message("go", "1"), cancellation), "the first was refused");
            Expect.Holds(!await one.PostAsync(run.Id, Message("go", "2"), cancellation) && !await two.PostAsync(run.Id, Message("go", "3"), cancellation), "a second was taken");
            Expect.Holds((await two.InboxAsync(run.Id, cancellation)).Single().Body?.ToString() == "1", "it is not the first");
        });
        yield return Law("Of many that send the same message at once exactly one is the first", async (one, two, cancellation) =>
        {
            var run = await LawRun.BeginAsync(one, cancellation);
            var first = await Task.WhenAll(Enumerable.Range(0, 16).Select(i => Task.Run(async () => await (i % 2 == 0 ? one : two).PostAsync(run.Id, Message("go", $"{i}"), cancellation), cancellation)));
            Expect.Holds(first.Count(won => won) == 1, $"{first.Count(won => won)} were");
            Expect.Holds((await one.InboxAsync(run.Id, cancellation)).Single().Body?.ToString() == $"{Array.IndexOf(first, true)}", "another one is kept");
        });
        yield return Law("A message comes back with its body, its time and its sender", async (store, cancellation) =>
        {
            var run = await LawRun.BeginAsync(store, cancellation);
            var sent = new RunMessage("pawl:cancel:7", RawJson.Parse("""{"why":"ünï\n","n":1.10}"""), new DateTimeOffset(2026, 2, 3, 4, 5, 6, TimeSpan.Zero), "anna@host \"x\"");
            await store.PostAsync(run.Id, sent, cancellation);
            await store.PostAsync(run.Id, Message("empty", null), cancellation);
            var inbox = await store.InboxAsync(run.Id, cancellation);
            Expect.Holds((inbox[0].Name, inbox[0].At, inbox[0].By) == (sent.Name, sent.At, sent.By), "name, time or sender differ");
            Expect.Holds(inbox[0].Body!.Value.ToElement().GetProperty("why").GetString() == "ünï\n" && inbox[0].Body!.Value.ToString().Contains("1.10", StringComparison.Ordinal), "the body differs");
            Expect.Holds(inbox[1].Body is null && inbox[1].By is null, "an absent body or sender came back as something");
        });
        yield return Law("A message needs no lease and touches no record", async (one, two, cancellation) =>
        {
            var run = await LawRun.BeginAsync(one, cancellation);
            await two.PostAsync(run.Id, Message("go"), cancellation);
            await run.AppendAsync(cancellation, run.Step("a"));
            await run.IsWholeAsync(two, cancellation);
        });
        yield return Law("Messages of two runs stay apart, and outlive a change of owner", async (store, cancellation) =>
        {
            var (one, two) = (await LawRun.BeginAsync(store, cancellation), await LawRun.BeginAsync(store, cancellation));
            await store.PostAsync(one.Id, Message("go"), cancellation);
            Expect.Holds((await store.InboxAsync(two.Id, cancellation)).Count == 0, "another run got it");
            await one.ReleaseAsync(cancellation);
            await one.ClaimAsync(cancellation);
            Expect.Holds((await store.InboxAsync(one.Id, cancellation)).Count == 1, "it is gone");
        });
        yield return Law("A message to a run that does not exist is an error", async (store, cancellation) =>
            await Expect.ThrowsAsync<RunNotFoundException>(async () => await store.PostAsync(LawRun.NewId(), Message("go"), cancellation), "it was taken"));
    }

    static IEnumerable<StoreLaw> Deleting()
    {
        yield return Law("A removed run is gone whole", async (one, two, cancellation) =>
        {
            var run = await LawRun.BeginAsync(one, cancellation);
            await run.AppendAsync(run.Commit(run.Step("a")) with { Payloads = [Payload(100)] }, cancellation);
            await one.PostAsync(run.Id, Message("go"), cancellation);
            await run.ReleaseAsync(cancellation);
            Expect.Holds(await one.DeleteAsync(run.Id, cancellation), "it was not there");
            foreach (var store in new[] { one, two })
            {
                Expect.Holds(await store.FindAsync(run.Id, cancellation) is null, "it is found");
                Expect.Holds((await Expect.ListAsync(store.ReadAsync(run.Id, 1, cancellation))).Count == 0, "its journal can be read");
                Expect.Holds((await store.InboxAsync(run.Id, cancellation)).Count == 0, "its messages are there");
                Expect.Holds(!(await ListAsync(store, new RunQuery(), cancellation)).Contains(run.Id), "it is listed");
            }
        });
        yield return Law("Removing what is not there answers no", async (store, cancellation) =>
            Expect.Holds(!await store.DeleteAsync(LawRun.NewId(), cancellation), "it answers yes"));
        yield return Law("A run that is held is not removed", async (one, two, cancellation) =>
        {
            var run = await LawRun.BeginAsync(one, cancellation);
            foreach (var store in new[] { one, two })
                await Expect.ThrowsAsync<ResumeRefusedException>(async () => await store.DeleteAsync(run.Id, cancellation), "it was removed");
            await run.AppendAsync(cancellation, run.Step("a"));
            await run.IsWholeAsync(two, cancellation);
        });
        yield return Law("The id of a removed run is free again, for a run of its own", async (store, cancellation) =>
        {
            var first = await LawRun.BeginAsync(store, cancellation);
            await first.AppendAsync(cancellation, first.Steps(5));
            await store.PostAsync(first.Id, Message("go"), cancellation);
            var stale = first.Commit(first.Step("late"));
            await first.ReleaseAsync(cancellation);
            await store.DeleteAsync(first.Id, cancellation);
            var second = await LawRun.BeginAsync(store, cancellation, first.Id);
            Expect.Holds(await store.CommitAsync(stale, cancellation) != CommitResult.Committed, "a commit of the removed run was written");
            await second.IsWholeAsync(store, cancellation);
            Expect.Holds((await store.InboxAsync(second.Id, cancellation)).Count == 0, "it has the old messages");
        });
        yield return Law("Removing one run leaves the others alone", async (store, cancellation) =>
        {
            var id = LawRun.NewId();
            var (gone, stays) = (await LawRun.BeginAsync(store, cancellation, id), await LawRun.BeginAsync(store, cancellation, id + "_2"));
            await gone.ReleaseAsync(cancellation);
            await store.DeleteAsync(gone.Id, cancellation);
            await stays.AppendAsync(cancellation, stays.Step("a"));
            await stays.IsWholeAsync(store, cancellation);
        });
    }

    static RunMessage Message(string name, string? body = "true") => new(name, body is null ? null : RawJson.Parse(body), new DateTimeOffset(2026, 1, 10, 0, 0, 0, TimeSpan.Zero));

    static async Task<List<string>> ListAsync(ICheckpointStore store, RunQuery query, CancellationToken cancellation) =>
        [.. (await Expect.ListAsync(store.ListAsync(query, cancellation))).Select(head => head.RunId)];
}

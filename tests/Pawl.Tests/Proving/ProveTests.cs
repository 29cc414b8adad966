using Pawl.Storage;
using Pawl.Testing;

namespace Pawl.Tests.Proving;

/// <summary>Proofs of workflows in code: faults that were put in are found with their step, and mended ones hold.</summary>
public sealed class ProveTests
{
    static readonly ProveOptions s_noClock = new() { Apart = TimeSpan.Zero };

    /// <summary>A service outside: it can tell a repetition when it is given a key.</summary>
    sealed class Shop
    {
        readonly List<(string Item, string? Key)> _orders = [];

        public OutsideWorld World => new() { Reset = ClearAsync, Observe = () => Task.FromResult<IReadOnlyDictionary<string, string>>(new Dictionary<string, string> { ["orders"] = string.Join('\n', _orders.Select(order => order.Item)) }) };

        public Task<int> OrderAsync(string item, string? key)
        {
            if (key is null || _orders.All(order => order.Key != key)) _orders.Add((item, key));
            return Task.FromResult(_orders.Count);
        }

        Task ClearAsync()
        {
            _orders.Clear();
            return Task.CompletedTask;
        }
    }

    static Workflow Order(Shop shop, bool withKey)
    {
        var order = Workflow.Create("order");
        order.Step("price", _ => 12);
        order.Step("buy", async ctx =>
        {
            await shop.OrderAsync("book", withKey ? ctx.IdempotencyKey : null);
        });
        order.Step("thank", _ => "thanks");
        return order.Build();
    }

    // #region prove
    [Fact]
    public async Task An_order_is_placed_once_wherever_the_process_dies()
    {
        var shop = new Shop();
        var proof = await Prove.ThatAsync(() => Order(shop, withKey: true), world: shop.World, cancellationToken: TestContext.Current.CancellationToken);
        proof.Holds();
    }
    // #endregion

    [Fact]
    public async Task An_order_without_a_key_is_found_with_its_step_and_what_mends_it()
    {
        var shop = new Shop();
        var proof = await Prove.ThatAsync(() => Order(shop, withKey: false), world: shop.World, options: s_noClock, cancellationToken: TestContext.Current.CancellationToken);
        var failure = Assert.Single(proof.Failures);
        Assert.Equal(("buy", "orders"), (failure.Difference!.Step, failure.Difference.What));
        Assert.Equal("  book\n+ book", failure.Difference.Diff());
        Assert.Contains("buy", Assert.Throws<InvalidOperationException>(proof.Holds).Message, StringComparison.Ordinal);
        // Before and after each of the creation, the pass's beginning, three steps, the end, and the release.
        Assert.Equal(14, proof.Points.Count);
        Assert.All(proof.Points, point => Assert.True(point.Reached));
    }

    [Fact]
    public async Task What_differs_between_two_unbroken_runs_is_told_and_not_held_against_a_crash()
    {
        var calls = 0;
        var proof = await Prove.ThatAsync(() => Workflow.Define("chance", async ctx => await ctx.StepAsync("draw", () => Task.FromResult(++calls))), options: s_noClock, cancellationToken: TestContext.Current.CancellationToken);
        proof.Holds();
        Assert.Contains(proof.Unstable, fact => fact.Step?.EndsWith("/draw", StringComparison.Ordinal) == true && (fact.First, fact.Second) == ("1", "2"));
    }

    [Fact]
    public async Task A_workflow_that_keeps_what_matters_in_its_memory_does_not_hold()
    {
        var proof = await Prove.ThatAsync(() =>
        {
            var seen = "nothing";
            var flow = Workflow.Create("memory");
            flow.Step("see", _ => seen = "something");
            flow.Step("tell", _ => seen);
            return flow.Build();
        }, options: s_noClock, cancellationToken: TestContext.Current.CancellationToken);
        Assert.All(proof.Failures, failure => Assert.Equal(("tell", "something", "nothing"), (failure.Difference!.Step, failure.Difference.Expected, failure.Difference.Got)));
        Assert.NotEmpty(proof.Failures);
    }

    [Fact]
    public async Task A_run_that_does_not_complete_unbroken_cannot_be_proved()
    {
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => Prove.ThatAsync(() => Workflow.Define("bad", _ => throw new StepException("no such table")), options: s_noClock, cancellationToken: TestContext.Current.CancellationToken));
        Assert.Contains("no such table", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_number_of_points_is_spread_from_the_first_to_the_last()
    {
        var proof = await Prove.ThatAsync(() => Order(new Shop(), withKey: true), options: s_noClock with { Points = 4 }, cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal([1, 5, 9, 14], proof.Points.Select(point => point.Point.Number));
    }

    [Fact]
    public async Task A_program_is_killed_for_real_in_the_middle_of_a_step()
    {
        var folder = Directory.CreateTempSubdirectory("pawl-proved-").FullName;
        try
        {
            // #region real
            var proof = await Prove.ThatProgramAsync(
                start: store => new(Environment.ProcessPath!) { Environment = { ["PAWL_SUBJECT"] = $"proved|{store}", [ProvedProgram.FolderVariable] = folder } },
                open: store => FileStore.Open(store),
                ProvedProgram.RunId,
                new OutsideWorld { Reset = () => ClearAsync(folder), Observe = () => FilesAsync(folder) }, cancellationToken: TestContext.Current.CancellationToken);
            // #endregion
            Assert.NotEmpty(proof.Failures);
            Assert.All(proof.Failures, failure => Assert.Equal(("torn", "torn.txt", "half and half"), (failure.Difference!.Step, failure.Difference.What, failure.Difference.Expected)));
            Assert.Contains(proof.Failures, failure => failure.Difference!.Got == "half");
            // The step is whole before its result is written: only what is cut off is torn.
            Assert.DoesNotContain(proof.Failures, failure => failure.Point.Delay == 0);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task A_step_that_writes_in_the_stores_own_transaction_is_proved_in_it()
    {
        var rows = "";
        var proof = await Prove.ThatProgramAsync(
            start: store =>
            {
                rows = store + ".db";
                return new(Environment.ProcessPath!) { Environment = { ["PAWL_SUBJECT"] = $"proved-database|{store}" } };
            },
            open: store => SqliteStore.Open(store + ".db"),
            ProvedProgram.RunId,
            new OutsideWorld { Observe = async () => new Dictionary<string, string> { ["payments"] = await CountAsync(rows) } }, s_noClock with { Points = 8 }, TestContext.Current.CancellationToken);
        proof.Holds();
        Assert.All(proof.Points, point => Assert.True(point.Reached));
        Assert.Contains(proof.Points, point => point.Point.Where.Contains("'pay'", StringComparison.Ordinal));

        static async Task<string> CountAsync(string file)
        {
            await using var connection = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={file}");
            await connection.OpenAsync(TestContext.Current.CancellationToken);
            await using var command = connection.CreateCommand();
            command.CommandText = "select count(*) from payment";
            return $"{await command.ExecuteScalarAsync(TestContext.Current.CancellationToken)}";
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_is_behind_approvals_signals_and_waiting_children_is_proved_when_they_are_answered(bool withKey)
    {
        var shop = new Shop();
        var proof = await Prove.ThatAsync(() =>
        {
            var child = Workflow.Create("ask");
            child.Step("may", async ctx => (await ctx.RequestApprovalAsync(new ApprovalRequest("Buy?"))).IsApproved);
            var order = Workflow.Create("order");
            order.Step("wanted", async ctx => (await ctx.WaitForSignalAsync("wanted")).Get<string>());
            order.Child("ask", child.Build());
            order.Step("buy", ctx => shop.OrderAsync(ctx.Output<string>("wanted"), withKey ? ctx.IdempotencyKey : null));
            return order.Build();
        }, world: shop.World, options: s_noClock with { Approvals = Decision.Approved, Signals = new Dictionary<string, RawJson?> { ["wanted"] = RawJson.Parse("\"book\"") } }, cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal(RunStatus.Completed, proof.Ending);
        Assert.All(proof.Points, point => Assert.True(point.Reached));
        if (withKey) proof.Holds();
        else Assert.Equal("buy", Assert.Single(proof.Failures).Difference!.Step);
    }

    [Theory]
    [InlineData("")]
    [InlineData("x:before")]
    [InlineData("3")]
    [InlineData("3:later")]
    [InlineData("3+")]
    [InlineData("3~0")]
    public void An_order_that_cannot_be_read_is_refused_and_none_changes_nothing(string order)
    {
        var store = new MemoryStore();
        ICheckpointStore Obey() => CrashOrder.Obey(store, name => name == CrashOrder.Variable ? order : null);
        if (order.Length == 0) Assert.Same(store, Obey());
        else Assert.Contains(CrashOrder.Variable, Assert.Throws<ArgumentException>(Obey).Message, StringComparison.Ordinal);
    }

    static Task ClearAsync(string folder)
    {
        foreach (var file in Directory.GetFiles(folder)) File.Delete(file);
        return Task.CompletedTask;
    }

    static Task<IReadOnlyDictionary<string, string>> FilesAsync(string folder) =>
        Task.FromResult<IReadOnlyDictionary<string, string>>(Directory.GetFiles(folder).ToDictionary(file => Path.GetFileName(file)!, File.ReadAllText));
}

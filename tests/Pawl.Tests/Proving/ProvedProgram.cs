using Pawl.Storage;
using Pawl.Testing;

namespace Pawl.Tests.Proving;

/// <summary>A program with a workflow in code that is killed for real: this test program, started again.</summary>
static class ProvedProgram
{
    public const string RunId = "proved";

    /// <summary>The folder that the program works in; the store is beside it.</summary>
    public const string FolderVariable = "PAWL_PROVED_FOLDER";

    public static async Task RunAsync(string root)
    {
        var folder = Environment.GetEnvironmentVariable(FolderVariable)!;
        // #region program
        await using var client = new PawlClient(CrashOrder.Obey(FileStore.Open(root)));
        await client.RunAsync(Define(folder), null, new StartOptions { RunId = RunId, IfExists = ExistingRun.Join });
        // #endregion
    }

    /// <summary>A payment in the store's own database: its row and its checkpoint together, or, written beside it, not.</summary>
    public static async Task RunInDatabaseAsync(string root)
    {
        await using var client = new PawlClient(CrashOrder.Obey(SqliteStore.Open(root + ".db")));
        var flow = Workflow.Create("proved");
        flow.Step("table", ctx => WriteAsync(ctx, "create table payment (step text)"), step => step.Transactional());
        flow.Step("pay", ctx => WriteAsync(ctx, "insert into payment values ('pay')"), step => step.Transactional());
        flow.Step("end", _ => 1);
        await client.RunAsync(flow.Build(), null, new StartOptions { RunId = RunId, IfExists = ExistingRun.Join });
    }

    static async Task WriteAsync(StepContext ctx, string sql)
    {
        await using var command = ctx.Transaction.Connection!.CreateCommand();
        (command.CommandText, command.Transaction) = (sql, ctx.Transaction);
        await command.ExecuteNonQueryAsync(ctx.CancellationToken);
    }

    static Workflow Define(string folder)
    {
        var flow = Workflow.Create("proved");
        flow.Step("note", ctx => File.WriteAllTextAsync(Path.Combine(folder, "note.txt"), "one\n", ctx.CancellationToken));
        flow.Step("torn", async ctx =>
        {
            // Not safe to be cut off: the second half is written only when the first one is not there.
            var path = Path.Combine(folder, "torn.txt");
            if (File.Exists(path)) return;
            await File.WriteAllTextAsync(path, "half", ctx.CancellationToken);
            await Task.Delay(200, ctx.CancellationToken);
            await File.AppendAllTextAsync(path, " and half", ctx.CancellationToken);
        });
        flow.Step("end", ctx => Task.FromResult(1));
        return flow.Build();
    }
}

#!/usr/bin/env dotnet
#:sdk Microsoft.NET.Sdk.Web
#:project ../src/Pawl.Sqlite/Pawl.Sqlite.csproj
#:property PublishAot=false

// An order service in one file. An order is a row and a run that are created in one transaction; it is paid in the same transaction as its
// checkpoint, so that no crash pays twice; and orders above 1000 wait for a person, holding nothing meanwhile.
//   dotnet run samples/orders.cs                      (then, elsewhere)
//   curl -X POST 'localhost:5080/orders/o1?amount=30'        curl localhost:5080/orders/o1
//   curl -X POST 'localhost:5080/orders/o2?amount=5000'      curl -X POST 'localhost:5080/orders/o2/approve?by=ann'

using Microsoft.Data.Sqlite;
using Pawl;
using Pawl.Storage;

var builder = WebApplication.CreateBuilder(args);
builder.Logging.SetMinimumLevel(LogLevel.Warning);
var file = builder.Configuration["database"] ?? Path.Combine(Path.GetTempPath(), "orders.db");

// #region order
var order = Workflow.Create("order").Param("amount", 0m);

order.Step("approve", async ctx => ctx.Params.Get<decimal>("amount") <= 1000
    || (await ctx.RequestApprovalAsync(new ApprovalRequest($"Accept an order of {ctx.Params.Get<decimal>("amount")}?") { Timeout = TimeSpan.FromDays(1) })).IsApproved);

order.Step("pay", async ctx =>
{
    // The row and the step's checkpoint are committed together: exactly once, whatever dies.
    await using var insert = new SqliteCommand("insert into payments values ($order, $amount)", (SqliteConnection)ctx.Transaction.Connection!, (SqliteTransaction)ctx.Transaction);
    insert.Parameters.AddWithValue("$order", ctx.RunId);
    insert.Parameters.AddWithValue("$amount", ctx.Params.Get<decimal>("amount"));
    await insert.ExecuteNonQueryAsync(ctx.CancellationToken);
}, step => step.Transactional().Needs("approve").When(ctx => ctx.Output<bool>("approve"), "the order was rejected"));

order.Step("ship", ctx => $"parcel of {ctx.RunId}", step => step.Needs("pay").Retry(5));

var workflow = order.Build();
builder.Services.AddSingleton<ICheckpointStore>(_ => SqliteStore.Open(file));
builder.Services.AddPawl().AddPawlWorker(_ => new WorkerOptions { Workflows = [workflow] });
// #endregion

var app = builder.Build();
var client = app.Services.GetRequiredService<PawlClient>();

var setup = Workflow.Create("setup");
setup.Step("tables", async ctx =>
{
    const string tables = "create table if not exists orders (id text primary key, amount numeric); create table if not exists payments (order_id text, amount numeric)";
    await using var create = new SqliteCommand(tables, (SqliteConnection)ctx.Transaction.Connection!, (SqliteTransaction)ctx.Transaction);
    await create.ExecuteNonQueryAsync();
}, step => step.Transactional());
await client.RunAsync(setup.Build());

// #region enqueue
app.MapPost("/orders/{id}", async (string id, decimal amount) =>
{
    await using var connection = new SqliteConnection($"Data Source={file}");
    await connection.OpenAsync();
    await using var transaction = connection.BeginTransaction();
    await using var insert = new SqliteCommand("insert into orders values ($id, $amount) on conflict do nothing", connection, transaction);
    insert.Parameters.AddWithValue("$id", id);
    insert.Parameters.AddWithValue("$amount", amount);
    await insert.ExecuteNonQueryAsync();
    // The order's row and its run exist together from the commit on, or neither does.
    var head = await client.EnqueueAsync(workflow, new Dictionary<string, object?> { ["amount"] = amount },
        new EnqueueOptions { Transaction = transaction }, new StartOptions { RunId = id });
    await transaction.CommitAsync();
    return Results.Accepted($"/orders/{id}", new { id, status = head.Status.ToString() });
});
// #endregion
app.MapPost("/orders/{id}/approve", async (string id, string by) => new { decided = await client.ApproveAsync(id, "approve", by) });
app.MapGet("/orders/{id}", async (string id) => await client.FindAsync(id) is { } head
    ? Results.Ok(new { id, status = head.Status.ToString(), waits = head.Waits.Select(wait => wait.Message), done = $"{head.Done}/{head.Total}" })
    : Results.NotFound());
app.Run(builder.Configuration["url"] ?? "http://127.0.0.1:5080");

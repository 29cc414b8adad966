#!/usr/bin/env dotnet
#:project ../src/Pawl/Pawl.csproj
#:property PublishAot=false

// An order is paid. The process is killed (kill -9) right behind the charge, before anything is recorded: nobody knows
// whether the money was taken. The resume asks the bank first, finds the charge, and does not charge twice.
//   dotnet run samples/payment.cs

using System.Diagnostics;
using Pawl;

var folder = args is ["--die", var given] ? given : Directory.CreateTempSubdirectory("pawl-payment-").FullName;
var bank = new Bank(Path.Combine(folder, "charges"));
var isFirst = args is ["--die", _];

// #region payment
var pay = Workflow.Create("pay").Param("amount", 100);

pay.Step("reserve", ctx => $"goods for {ctx.RunId}");

var charged = pay.Step("charge", async ctx =>
{
    var receipt = await bank.ChargeAsync(ctx.IdempotencyKey, ctx.Params.Get<int>("amount"));
    if (isFirst) Process.GetCurrentProcess().Kill();      // kill -9: the money is gone, and no checkpoint says so
    return receipt;
}, step => step.OnUnknown(UnknownOutcome.Probe(async ctx =>
    await bank.FindAsync(ctx.IdempotencyKey) is { } receipt ? StepResult.Ok(receipt) : null)));

pay.Step("ship", ctx => $"shipped, paid with {ctx.Output(charged)}");
// #endregion

var workflow = pay.Build();
await using var client = PawlClient.Open($"file:{Path.Combine(folder, "checkpoints")}");
if (isFirst)
{
    await client.RunAsync(workflow, start: new StartOptions { RunId = "order-1" });
    return 1;
}

// The first process is this program once more; it does not survive its second step.
var self = Environment.ProcessPath!;
string[] start = Path.GetFileNameWithoutExtension(self) == "dotnet" ? [Environment.GetCommandLineArgs()[0], "--die", folder] : ["--die", folder];
using (var first = Process.Start(new ProcessStartInfo(self, start))!)
{
    await first.WaitForExitAsync();
    Console.WriteLine($"The first process ended with {first.ExitCode}; the bank has {bank.Count} charge(s), the journal knows of none.");
}

var plan = await client.PlanAsync(workflow, "order-1");
foreach (var step in plan.Steps) Console.WriteLine($"  {step.Decision,-6} {step.Path}: {step.Reason}");
var result = (await client.ResumeAsync(workflow, "order-1")).EnsureCompleted();
Console.WriteLine(result.Output<string>("ship"));
Console.WriteLine($"The bank has {bank.Count} charge(s).");
return bank.Count == 1 ? 0 : 1;

/// <summary>A bank that takes the money at once, and takes it again when it is asked again.</summary>
sealed class Bank(string ledger)
{
    public int Count => File.Exists(ledger) ? File.ReadAllLines(ledger).Length : 0;

    public async Task<string> ChargeAsync(string key, int amount)
    {
        await File.AppendAllTextAsync(ledger, $"{key} {amount}\n");
        return $"receipt {Count}";
    }

    public async Task<string?> FindAsync(string key)
    {
        var lines = File.Exists(ledger) ? await File.ReadAllLinesAsync(ledger) : [];
        var at = Array.FindIndex(lines, line => line.StartsWith(key + " ", StringComparison.Ordinal));
        return at < 0 ? null : $"receipt {at + 1}";
    }
}

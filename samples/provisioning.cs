#!/usr/bin/env dotnet
#:project ../src/Pawl/Pawl.csproj
#:property PublishAot=false

// Provisioning: retrieve a package, deploy its files as a stack, ask until the stack is complete (a bounded number of
// times), verify every resource. A failure undoes the deployment and tells about it once. With --fail, one resource is
// refused; the obstacle is then removed, and the same run is resumed.
//   dotnet run samples/provisioning.cs
//   dotnet run samples/provisioning.cs -- --fail

using System.IO.Compression;
using System.Security.Cryptography;
using Pawl;

var folder = Directory.CreateTempSubdirectory("pawl-provisioning-").FullName;
var notices = Path.Combine(folder, "notices.txt");
var depot = Path.Combine(folder, "depot.zip");
using (var zip = ZipFile.Open(depot, ZipArchiveMode.Create))
{
    foreach (var name in new[] { "network", "database", "queue", "service" })
    {
        using var writer = new StreamWriter(zip.CreateEntry(name).Open());
        writer.Write($"{name} {new string('x', 1000)}");
    }
}
var deployer = new Deployer(Path.Combine(folder, "stacks")) { Refuses = args.Contains("--fail") ? "queue" : null };

// #region provisioning
var provisioning = Workflow.Create("provisioning")
    .Param("polls", 200)
    .Options(new WorkflowOptions { OnFailure = FailurePolicy.Compensate });

var package = provisioning.Step("retrieve-package", ctx =>
{
    var copy = Path.Combine(folder, "package.zip");
    File.Copy(depot, copy, overwrite: true);
    return new Package(copy, Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(copy))));
}, step => step.Retry(3).Timeout(TimeSpan.FromMinutes(1)));

var stack = provisioning.Step("deploy-stack", ctx =>
    // A stack is named by the run: an attempt that was killed after this line finds its own stack, not a second one.
    deployer.Begin(ctx.RunId, ctx.Output(package).File), step => step.Compensate(ctx => deployer.RemoveAsync(ctx.RunId)));

provisioning.Step("wait-until-complete", async ctx =>
{
    var polls = ctx.Params.Get<int>("polls");
    for (var poll = 1; poll <= polls; poll++)
    {
        var state = deployer.StateOf(ctx.RunId);
        if (state == "complete") return poll;
        if (state.StartsWith("failed", StringComparison.Ordinal)) throw new StepException($"The stack {state}.");
        ctx.ReportProgress((double)poll / polls, state);
        await Task.Delay(TimeSpan.FromMilliseconds(20), ctx.Time, ctx.CancellationToken);
    }
    throw new StepException($"The stack is not complete after {polls} polls.", ErrorClass.Transient);
});

var verified = provisioning.Step("verify-resources", ctx =>
{
    using var zip = ZipFile.OpenRead(ctx.Output(package).File);
    foreach (var entry in zip.Entries)
    {
        using var source = entry.Open();
        using var deployed = File.OpenRead(Path.Combine(ctx.Output(stack), entry.Name));
        if (!SHA256.HashData(source).AsSpan().SequenceEqual(SHA256.HashData(deployed))) throw new StepException($"The resource '{entry.Name}' differs from the package.");
    }
    return zip.Entries.Count;
});

provisioning.Step("tell", async ctx =>
    await File.AppendAllTextAsync(notices, ctx.AnyFailedBefore ? "Provisioning failed and is being rolled back.\n" : "Provisioning is done.\n"),
    step => step.EvenAfterFailure());
// #endregion

var workflow = provisioning.Build();
await using var client = PawlClient.Open($"file:{Path.Combine(folder, "checkpoints")}");

var result = await client.RunAsync(workflow, start: new StartOptions { OnEvent = Show });
Console.WriteLine($"{result.RunId} is {result.Status}{(result.Error is { } error ? $": {error}" : "")}");

if (result.Status == RunStatus.Failed)
{
    Console.WriteLine($"\nStacks left: {Directory.GetDirectories(Path.Combine(folder, "stacks")).Length}. The obstacle is removed, and the run goes on:");
    deployer.Refuses = null;
    result = await client.ResumeAsync(workflow, result.RunId, new ResumeOptions { OnEvent = Show });
    Console.WriteLine($"{result.RunId} is {result.Status}; restored: {string.Join(", ", result.Restored)}");
}

Console.WriteLine($"\n{File.ReadAllText(notices)}{result.Output(verified)} resources verified. Everything is in {folder}");
return result.Status == RunStatus.Completed ? 0 : 1;

static void Show(RunEvent happened)
{
    if (happened is not RunEvent.StepEnded { Step: var step }) return;
    var what = step.Restored ? "restored" : step.Reason == "compensation" ? "undone" : step.Status.ToString().ToLowerInvariant();
    Console.WriteLine($"  {what,-10} {step.Path}{(step.Error is { } error ? $": {error.Message}" : "")}");
}

sealed record Package(string File, string Sha256);

/// <summary>Unpacks packages in the background, one resource after another, as a cloud's deployment service would.</summary>
sealed class Deployer(string folder)
{
    readonly Dictionary<string, (Task Work, Func<string> State)> _stacks = [];

    public string? Refuses { get; set; }

    public string Begin(string name, string package)
    {
        var home = Directory.CreateDirectory(Path.Combine(folder, name)).FullName;
        var state = "in progress";
        if (!_stacks.ContainsKey(name)) _stacks[name] = (UnpackAsync(), () => Volatile.Read(ref state));
        return home;

        async Task UnpackAsync()
        {
            using var zip = ZipFile.OpenRead(package);
            foreach (var entry in zip.Entries)
            {
                await Task.Delay(10);
                if (entry.Name == Refuses) { Volatile.Write(ref state, $"failed: '{entry.Name}' was refused"); return; }
                entry.ExtractToFile(Path.Combine(home, entry.Name), overwrite: true);
            }
            Volatile.Write(ref state, "complete");
        }
    }

    public string StateOf(string name) => _stacks[name].State();

    public async Task RemoveAsync(string name)
    {
        if (_stacks.Remove(name, out var stack)) await stack.Work;
        if (Directory.Exists(Path.Combine(folder, name))) Directory.Delete(Path.Combine(folder, name), recursive: true);
    }
}

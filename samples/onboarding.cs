#!/usr/bin/env dotnet
#:project ../src/Pawl/Pawl.csproj
#:property PublishAot=false

// Onboarding of a customer: create the organisation, apply its policies, create the package, validate it, give it a
// version. A failure undoes what was done, the last step first, and tells about it once. With --fail, the package lacks
// its manifest; it is then added, and the same run is resumed.
//   dotnet run samples/onboarding.cs
//   dotnet run samples/onboarding.cs -- --fail

using System.IO.Compression;
using System.Security.Cryptography;
using Pawl;

var folder = Directory.CreateTempSubdirectory("pawl-onboarding-").FullName;
var templates = Directory.CreateDirectory(Path.Combine(folder, "templates")).FullName;
var notices = Path.Combine(folder, "notices.txt");
File.WriteAllText(Path.Combine(templates, "service.conf"), "port = 8080\n");
if (!args.Contains("--fail")) File.WriteAllText(Path.Combine(templates, "manifest.txt"), "service.conf\n");

// #region onboarding
var onboarding = Workflow.Create("onboarding")
    .Param(new WorkflowParam("customer", Required: true))
    .Options(new WorkflowOptions { OnFailure = FailurePolicy.Compensate });

var organisation = onboarding.Step("create-organisation", async ctx =>
{
    var home = Path.Combine(folder, "organisations", Uri.EscapeDataString(ctx.Params.Get<string>("customer")));
    Directory.CreateDirectory(home);
    await File.WriteAllTextAsync(Path.Combine(home, "created-by"), ctx.IdempotencyKey);
    return home;
}, step => step.Compensate(ctx => Delete([ctx.Output<string>("create-organisation")])));

var policies = onboarding.ForEach("apply-policies", _ => new[] { "backup", "quota", "retention" }, policy => policy, async (ctx, policy) =>
{
    var file = Path.Combine(ctx.Output(organisation), $"{policy}.policy");
    await File.WriteAllTextAsync(file, "enabled\n");
    return file;
}, step => step.Compensate(ctx => Delete(ctx.Output<string[]>("apply-policies"))));

var package = onboarding.Step("create-package", ctx =>
{
    var file = Path.Combine(folder, $"{Path.GetFileName(ctx.Output(organisation))}.zip");
    File.Delete(file);                      // what a killed attempt left behind
    ZipFile.CreateFromDirectory(templates, file);
    return file;
}, step => step.Compensate(ctx => Delete([ctx.Output<string>("create-package")])));

var hash = onboarding.Step("validate", ctx =>
{
    using var zip = ZipFile.OpenRead(ctx.Output(package));
    if (zip.GetEntry("manifest.txt") is not { } manifest) throw new StepException("The package has no manifest.txt.");
    using var names = new StreamReader(manifest.Open());
    while (names.ReadLine() is { } name)
        if (zip.GetEntry(name) is null) throw new StepException($"The manifest names '{name}', which is not in the package.");
    return Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(ctx.Output(package))));
});

onboarding.Step("version", ctx =>
{
    var versions = Directory.CreateDirectory(Path.Combine(ctx.Output(organisation), "versions")).FullName;
    // Named by content: an attempt that was killed after this line gives the same version again, not a second one.
    File.WriteAllText(Path.Combine(versions, ctx.Output(hash)), "");
    return Directory.GetFiles(versions).Length;
});

onboarding.Step("tell", async ctx =>
{
    var what = ctx.AnyFailedBefore ? "failed and is being rolled back" : "is done";
    await File.AppendAllTextAsync(notices, $"Onboarding of {ctx.Params.Get<string>("customer")} {what}.\n");
}, step => step.EvenAfterFailure());
// #endregion

var workflow = onboarding.Build();
await using var client = PawlClient.Open($"file:{Path.Combine(folder, "checkpoints")}");

var result = await client.RunAsync(workflow, new Dictionary<string, object?> { ["customer"] = "Acme & Sons" }, new StartOptions { OnEvent = Show });
Report(result);

if (result.Status == RunStatus.Failed)
{
    Console.WriteLine($"\nLeft of the organisation: {Directory.Exists(Path.Combine(folder, "organisations", "Acme%20%26%20Sons"))}. The manifest is added, and the run goes on:");
    File.WriteAllText(Path.Combine(templates, "manifest.txt"), "service.conf\n");
    result = await client.ResumeAsync(workflow, result.RunId, new ResumeOptions { OnEvent = Show });
    Report(result);
}

Console.WriteLine($"\n{File.ReadAllText(notices)}Version {result.Output<int>("version")}, {result.Output(policies).Count(File.Exists)} policies in force. Everything is in {folder}");
return result.Status == RunStatus.Completed ? 0 : 1;

static Task Delete(IEnumerable<string> paths)
{
    foreach (var path in paths)
    {
        if (File.Exists(path)) File.Delete(path);
        if (Directory.Exists(path)) Directory.Delete(path, recursive: true);
    }
    return Task.CompletedTask;
}

static void Show(RunEvent happened)
{
    if (happened is not RunEvent.StepEnded { Step: var step }) return;
    var what = step.Restored ? "restored" : step.Reason == "compensation" ? "undone" : step.Status.ToString().ToLowerInvariant();
    Console.WriteLine($"  {what,-10} {step.Path}{(step.Error is { } error ? $": {error.Message}" : "")}");
}

static void Report(RunResult result) => Console.WriteLine($"{result.RunId} is {result.Status}{(result.Error is { } error ? $": {error}" : "")}");

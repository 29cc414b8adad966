using System.Diagnostics;
using System.Runtime.InteropServices;
using Pawl.Tests.Docs;

namespace Pawl.Tests.Cli;

/// <summary>The command proves workflow files with processes that are really killed.</summary>
public sealed class ProveLaws : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("pawl-prove-").FullName;
    readonly string _temporary = Directory.CreateTempSubdirectory("pawl-prove-tmp-").FullName;

    public ProveLaws()
    {
        foreach (var file in Directory.GetFiles(Path.Combine(Repository.Root, "samples", "proving"))) File.Copy(file, In(Path.GetFileName(file)));
    }

    [Fact]
    public async Task Each_planted_fault_is_found_and_the_right_step_is_blamed()
    {
        var before = Contents();
        var answer = await ProveAsync("faulty.yaml", "--json", "--html", "report.html");
        Assert.True(answer.Code == 1, answer.All);
        var blamed = answer.Json.GetProperty("to_blame").EnumerateArray().Select(step => step.GetString()).ToList();
        Assert.Equal(["append", "convert", "count", "order"], blamed.Order());
        var points = answer.Json.GetProperty("points").EnumerateArray().Where(point => point.GetProperty("verdict").GetString() == "differs").ToList();
        Assert.Equal(["file ledger.txt", "file orders.txt", "file visits.txt"], points.Select(point => point.GetProperty("what").GetString()!).Where(what => !what.StartsWith("file work.", StringComparison.Ordinal)).Distinct().Order());
        Assert.Contains(points, point => point.GetProperty("what").GetString()!.StartsWith("file work.", StringComparison.Ordinal));
        // The clock is told, and not held against a crash.
        var unstable = Assert.Single(answer.Json.GetProperty("unstable").EnumerateArray());
        Assert.Equal(("stamp", "file done-at.txt"), (unstable.GetProperty("step").GetString(), unstable.GetProperty("what").GetString()));
        // The evidence is there to be looked at; the caller's own files are as they were.
        Assert.All(points, point => Assert.True(Directory.Exists(Path.Combine(point.GetProperty("evidence").GetString()!, "work"))));
        Assert.Contains("<code>append</code> is not safe to run twice", File.ReadAllText(In("report.html")), StringComparison.Ordinal);
        File.Delete(In("report.html"));
        Assert.Equal(before, Contents());
    }

    [Fact]
    public async Task The_mended_twin_holds_in_both_stores_and_leaves_nothing_behind()
    {
        var answer = await ProveAsync("mended.yaml", "--points", "8");
        Assert.True(answer.Code == 0, answer.All);
        Assert.StartsWith("✓ mended holds: killed at ", answer.Out.Split('\n')[^2], StringComparison.Ordinal);
        var sqlite = await ProveAsync("mended.yaml", "--store", "sqlite:any.db", "--points", "4", "--json");
        Assert.True(sqlite.Code == 0, sqlite.All);
        Assert.Equal(4, sqlite.Json.GetProperty("points").GetArrayLength());
        Assert.Empty(Directory.GetDirectories(Root));
    }

    [Fact]
    public async Task The_configuration_that_the_call_names_is_that_of_the_processes_too()
    {
        Directory.CreateDirectory(In("settings"));
        File.WriteAllText(In("settings/models.yaml"), "models: { tiny: { scripted: answers.yaml } }");
        File.WriteAllText(In("settings/answers.yaml"), "- { agent: ask, text: hello }");
        Write("""
            name: asks
            steps:
              - id: ask
                agent: { model: tiny, prompt: Say hello }
            """);
        var answer = await ProveAsync("workflow.yaml", "--config", "settings/models.yaml", "--points", "2");
        Assert.True(answer.Code == 0, answer.All);
        // Without it there is no such model.
        Assert.Equal(2, (await ProveAsync("workflow.yaml", "--points", "2")).Code);
    }

    [Fact]
    public async Task An_interrupted_proof_goes_on_where_it_was()
    {
        Write("""
            name: long
            steps:
              - id: a
                run: sleep 0.3; echo a > a.txt
              - id: b
                run: sleep 0.3; echo b > b.txt
            """);
        using var first = Start("workflow.yaml", "--points", "6", "--parallel", "1", "--json");
        while (await first.StandardError.ReadLineAsync(TestContext.Current.CancellationToken) is { } line && !line.StartsWith("2/6", StringComparison.Ordinal)) { }
        Assert.Equal(0, Kill(first.Id, 2));
        var interrupted = await EndAsync(first);
        Assert.True(interrupted.Code == 130, interrupted.All);
        Assert.Contains("Go on with the same command", interrupted.Error, StringComparison.Ordinal);
        Assert.Equal("interrupted", interrupted.Json.GetProperty("reason").GetString());

        var done = await ProveAsync("workflow.yaml", "--points", "6", "--parallel", "1", "--json");
        Assert.True(done.Code == 0, done.All);
        Assert.StartsWith("Going on with the proof of long", done.Error, StringComparison.Ordinal);
        Assert.Equal(6, done.Json.GetProperty("points").GetArrayLength());
    }

    [Fact]
    public async Task A_step_that_cannot_run_again_is_blamed_when_the_resume_fails()
    {
        Write("""
            name: dir
            prove: { compare: "out/**" }
            steps:
              - id: make
                run: mkdir out; sleep 0.4
              - id: use
                run: pwd > out/where.txt
            """);
        var answer = await ProveAsync("workflow.yaml", "--points", "10", "--json");
        Assert.True(answer.Code == 1, answer.All);
        // Where the sandbox is differs from one to the next, and means the same.
        Assert.Empty(answer.Json.GetProperty("unstable").EnumerateArray());
        var point = answer.Json.GetProperty("points").EnumerateArray().First(one => one.GetProperty("verdict").GetString() == "differs");
        Assert.Equal(("make", "status of the run", "completed"), (point.GetProperty("step").GetString(), point.GetProperty("what").GetString(), point.GetProperty("expected").GetString()));
        Assert.StartsWith("failed at 'make'", point.GetProperty("got").GetString(), StringComparison.Ordinal);
        Assert.Equal(["make"], answer.Json.GetProperty("to_blame").EnumerateArray().Select(step => step.GetString()));
    }

    [Fact]
    public async Task What_is_behind_an_approval_and_a_signal_is_proved_with_the_answers_of_the_file()
    {
        Write("""
            name: gate
            prove: { approvals: approve, signals: { go: { file: out.txt } } }
            steps:
              - id: ask
                approval: May it?
              - id: wait
                wait_for: go
              - id: write
                run: echo x > ${{ steps.wait.outputs.body.file }}
            """);
        var answer = await ProveAsync("workflow.yaml", "--points", "4", "--json");
        Assert.True(answer.Code == 0, answer.All);
        Assert.Equal("completed", answer.Json.GetProperty("ending").GetString());
        // Three processes: the first two end with a wait.
        Assert.All(answer.Json.GetProperty("points").EnumerateArray(), point => Assert.Equal("holds", point.GetProperty("verdict").GetString()));
        Assert.Contains(answer.Json.GetProperty("points").EnumerateArray(), point => int.Parse(point.GetProperty("order").GetString()!.Split(':', '+', '~')[0], System.Globalization.CultureInfo.InvariantCulture) > 14);
    }

    [Fact]
    public void A_process_counts_as_hanging_when_it_takes_very_much_longer_than_the_longest_and_not_than_the_last()
    {
        var patience = new Pawl.Cli.Proving.Patience();
        Assert.Equal(TimeSpan.FromMinutes(30), patience.Limit);
        patience.Took(TimeSpan.FromMinutes(1));
        Assert.Equal(TimeSpan.FromMinutes(20), patience.Limit);
        // A hook that makes a folder.
        patience.Took(TimeSpan.FromMilliseconds(5));
        Assert.Equal(TimeSpan.FromMinutes(20), patience.Limit);
        // Of a busy machine even short ones may take minutes.
        var quick = new Pawl.Cli.Proving.Patience();
        quick.Took(TimeSpan.FromMilliseconds(5));
        Assert.Equal(TimeSpan.FromMinutes(10), quick.Limit);
    }

    [Fact]
    public async Task What_cannot_be_proved_is_told_before_anything_is_killed()
    {
        Write("""
            name: bad
            steps:
              - id: broken
                run: exit 3
            """);
        var failing = await ProveAsync("workflow.yaml");
        Assert.Equal(1, failing.Code);
        Assert.Contains("The unbroken run itself did not complete: failed at 'broken'", failing.Error, StringComparison.Ordinal);
        Assert.Equal(2, (await ProveAsync("no.yaml")).Code);
        Assert.Equal(2, (await ProveAsync("mended.yaml", "--points", "none")).Code);
        Assert.Equal(2, (await ProveAsync("mended.yaml", "--compare", "/etc/*")).Code);
        Assert.Contains("of the kind file: or sqlite:", (await ProveAsync("mended.yaml", "--store", "memory:")).Error, StringComparison.Ordinal);
        using (var large = File.Create(In("large"))) large.SetLength(2L << 30);
        var refused = await ProveAsync("mended.yaml");
        Assert.Equal(2, refused.Code);
        Assert.Contains("too large to be copied", refused.Error, StringComparison.Ordinal);
    }

    string In(string name) => Path.Combine(_folder, name);

    string Root => Path.Combine(_temporary, $"pawl-prove-{GetEffectiveUser()}");

    void Write(string text) => File.WriteAllText(In("workflow.yaml"), text);

    Dictionary<string, string> Contents() => Directory.GetFiles(_folder).ToDictionary(file => file, File.ReadAllText);

    async Task<Answer> ProveAsync(params string[] args) => await EndAsync(Start(args));

    Process Start(params string[] args)
    {
        var start = new ProcessStartInfo(PawlCommand.Path, ["prove", .. args]) { WorkingDirectory = _folder, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["TMPDIR"] = _temporary;
        return Process.Start(start)!;
    }

    static async Task<Answer> EndAsync(Process process)
    {
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return new Answer(process.ExitCode, await output, await error);
    }

    public void Dispose()
    {
        Directory.Delete(_folder, recursive: true);
        Directory.Delete(_temporary, recursive: true);
    }

    [DllImport("libc", EntryPoint = "kill")]
    static extern int Kill(int pid, int signal);

    [DllImport("libc", EntryPoint = "geteuid")]
    static extern uint GetEffectiveUser();
}

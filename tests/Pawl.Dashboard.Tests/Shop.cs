using System.Diagnostics;
using System.Text.Json;
using Pawl.Storage;

namespace Pawl.Dashboard.Tests;

/// <summary>A place where all is real: a store in SQLite, <c>pawl worker</c> in one process, <c>pawl ui</c> in another. One for all tests of a class; each has runs of its own.</summary>
public sealed class Shop : IAsyncLifetime
{
    const string Ship = """
        name: ship
        version: {version}
        description: Builds something, asks, and ships it.
        params:
          note:   { type: string, required: true, description: "What it is for." }
          target: { type: string, default: staging, enum: [staging, production] }
          count:  { type: integer, default: 2 }
          labels: { type: list, default: [a, b] }
          fast:   { type: boolean, default: false }
          token:  { type: secret, env: SHIP_TOKEN, required: false }
        steps:
          - id: build
            run: |
              echo "building {version}"
              echo "made=$((${{ params.count }} * 2))" >> "$PAWL_OUTPUT"
          - id: check
            run: |
              test "${{ params.note }}" != broken || { echo "the note says it is broken" >&2; exit 3; }
          - id: gate
            approval: { message: "Ship to ${{ params.target }}?" }
          - id: ship
            run: echo "shipped ${{ steps.build.outputs.made }} of ${{ params.note }}"

        """;

    const string Talk = """
        name: talk
        steps:
          - id: before
            run: echo before
          - id: talk
            run: |
              for word in first second third; do echo "the $word word"; done
              echo "a complaint" >&2
              until test -e "go-$PAWL_RUN_ID"; do sleep 0.05; done
              echo "the last word"
          - id: after
            run: echo after

        """;

    const string Crawl = """
        name: crawl
        params:
          items: { type: list, default: {items} }
        steps:
          - id: before
            run: echo before
          - id: crawl
            foreach: ${{ params.items }}
            max_parallel: 1
            run: sleep 0.05
          - id: after
            run: echo after

        """;

    const string Listen = """
        name: listen
        steps:
          - id: ready
            run: echo ready
          - id: heard
            wait_for: { signal: hello }
          - id: answer
            run: echo "heard ${{ steps.heard.outputs.body.text }}"

        """;

    const string Hostile = """
        name: hostile
        steps:
          - id: shout
            name: "<script>document.title='owned'</script>"
            run: |
              printf '<script>document.title="owned"</script><img src=x onerror="document.title=1">\n'
              printf '\033[31mred\033[0m \377\376 \342\200\256gnp.exe\n'
              head -c 10000000 /dev/zero | tr '\0' W
              printf '\nbehind the long line\n'
          - id: fail
            run: |
              printf '<img src=x onerror="document.title=2"> \033[31m \342\200\256 \377\n' >&2
              exit 3

        """;

    // What .ci/run compiled ahead, or what was built with the tests.
    static readonly string s_command = Environment.GetEnvironmentVariable("PAWL_TEST_COMMAND") ?? AppContext.BaseDirectory.Replace("Pawl.Dashboard.Tests", "Pawl.Cli", StringComparison.Ordinal) + "Pawl.Cli";

    readonly List<Process> _processes = [];

    public string Folder { get; } = Directory.CreateTempSubdirectory("pawl-shop-").FullName;

    /// <summary>A client of the test's own, to see that what the page says is so.</summary>
    public PawlClient Client { get; private set; } = null!;

    public Uri Link { get; private set; } = null!;

    string Database => Path.Combine(Folder, "runs.db");

    public async ValueTask InitializeAsync()
    {
        Write("ship.yaml", Ship.Replace("{version}", "1", StringComparison.Ordinal));
        Write("talk.yaml", Talk);
        Write("crawl.yaml", Crawl.Replace("{items}", JsonSerializer.Serialize(Enumerable.Range(0, 500)), StringComparison.Ordinal));
        Write("listen.yaml", Listen);
        Write("hostile.yaml", Hostile);
        Client = new PawlClient(SqliteStore.Open(Database));
        Start("worker", "--queue", "default", "--concurrency", "4");
        var page = Start("ui", "ship.yaml", "talk.yaml", "listen.yaml", "hostile.yaml", "--json");
        using var told = JsonDocument.Parse(await page.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException($"pawl ui ended: {await page.StandardError.ReadToEndAsync()}"));
        Link = new Uri(told.RootElement.GetProperty("url").GetString()!);
    }

    public string Write(string name, string text)
    {
        var path = Path.Combine(Folder, name);
        File.WriteAllText(path, text);
        return path;
    }

    /// <summary>Another version of the workflow that ships.</summary>
    public void Edit(int version) => Write("ship.yaml", Ship.Replace("{version}", $"{version}", StringComparison.Ordinal));

    /// <summary>Lets a run of <c>talk</c> end.</summary>
    public void LetGo(string runId) => Write($"go-{runId}", "");

    /// <summary>Puts a run into the queue of the worker, by the command.</summary>
    public async Task EnqueueAsync(string file, string runId, params string[] more)
    {
        using var process = Start(["enqueue", file, "--run-id", runId, .. more]);
        var error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, error);
        _processes.Remove(process);
    }

    Process Start(params string[] command)
    {
        var start = new ProcessStartInfo(s_command, [.. command, "--store", $"sqlite:{Database}"])
        {
            WorkingDirectory = Folder, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        var process = Process.Start(start)!;
        if (command[0] == "worker")
        {
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
        }
        _processes.Add(process);
        return process;
    }

    public async Task<RunHead> UntilAsync(string runId, Func<RunHead, bool> isSo)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Lab.Stop);
        limit.CancelAfter(TimeSpan.FromSeconds(60));
        while (true)
        {
            var head = await Client.FindAsync(runId, Lab.Stop);
            if (head is not null && isSo(head)) return head;
            Assert.False(limit.IsCancellationRequested, $"Run '{runId}' is {head}");
            await Task.Delay(20, Lab.Stop);
        }
    }

    public async Task<string[]> ActsAsync(string runId) => [.. (await Client.ActsAsync(runId, Lab.Stop)).Select(act => $"{act.What} by {act.By?.Split('@')[0]}")];

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes)
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync();
            process.Dispose();
        }
        await Client.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }
}

using System.Text.Json;
using Pawl.Cli;

namespace Pawl.Tests.Cli;

/// <summary>What one call of the command gave.</summary>
sealed record Answer(int Code, string Out, string Error)
{
    public JsonElement Json => JsonDocument.Parse(Out).RootElement;

    public string All => Out + Error;
}

/// <summary>A folder of its own in which commands are called without a process.</summary>
sealed class CommandLab : IDisposable
{
    readonly Dictionary<string, string?> _variables = new() { ["PATH"] = Environment.GetEnvironmentVariable("PATH"), ["HOME"] = "/nonexistent" };

    public CommandLab()
    {
        Folder = Directory.CreateTempSubdirectory("pawl-cli-").FullName;
    }

    public string Folder { get; }

    /// <summary>Where the command is called; the folder itself unless it is said.</summary>
    public string? Here { get; set; }

    public string Checkpoints => Path.Combine(Folder, ".checkpoints");

    public TextReader In { get; set; } = TextReader.Null;

    public bool CanAsk { get; set; }

    public TimeProvider Time { get; set; } = TimeProvider.System;

    public CancellationToken Stop { get; set; } = TestContext.Current.CancellationToken;

    public string? this[string variable]
    {
        set => _variables[variable] = value;
    }

    public string Path_(string name) => Path.Combine(Folder, name);

    public string Write(string name, string text)
    {
        var path = Path_(name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        return path;
    }

    /// <summary>Three shell steps a, b, c in a row; b fails unless the file <c>ok</c> is there.</summary>
    public CommandLab WithThreeSteps()
    {
        Write("workflow.yaml", """
            name: three
            params:
              who: { type: string, default: world }
              count: { type: integer, default: 1 }
            steps:
              - id: a
                run: |
                  echo "hello ${{ params.who }}"
                  echo "x=1" >> "$PAWL_OUTPUT"
              - id: b
                needs: a
                run: |
                  echo "b looks"
                  test -f ok
              - id: c
                needs: b
                run: echo "c after ${{ steps.a.outputs.x }}"
            """);
        return this;
    }

    /// <summary>As <see cref="WithThreeSteps"/>, and b does not fail.</summary>
    public CommandLab WithThreeGoodSteps()
    {
        Write("ok", "");
        return WithThreeSteps();
    }

    public Task<Answer> RunAsync(params string[] args) => RunAsync(new StringWriter(), args);

    /// <summary>One call whose text is watched while it is written.</summary>
    public async Task<Answer> RunAsync(StringWriter output, params string[] args)
    {
        using var error = new StringWriter();
        var code = await Pawl.Cli.Cli.RunAsync(args, new Caller
        {
            Out = output, Error = error, In = In, CanAsk = CanAsk, Time = Time, Directory = Here ?? Folder, Stop = Stop,
            Variable = name => _variables.GetValueOrDefault(name),
        });
        return new Answer(code, output.ToString(), error.ToString());
    }

    /// <summary>A failed run of the three steps; its id.</summary>
    public async Task<string> FailedRunAsync()
    {
        WithThreeSteps();
        var failed = await RunAsync("run", "--json");
        Assert.Equal(1, failed.Code);
        return failed.Json.GetProperty("run_id").GetString()!;
    }

    public async Task<string> CompletedRunAsync()
    {
        WithThreeGoodSteps();
        var done = await RunAsync("run", "--json");
        Assert.True(done.Code == 0, done.All);
        return done.Json.GetProperty("run_id").GetString()!;
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}

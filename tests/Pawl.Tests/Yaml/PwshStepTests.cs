using System.Text.Json;
using Pawl.Yaml;

namespace Pawl.Tests.Yaml;

/// <summary>Steps in a real PowerShell, which takes a second to start: <c>.ci/run</c> installs it where it is missing.</summary>
public sealed class PwshStepTests : ShellTest
{
    const string Hostile = "a  'b' \"c\" $(Set-Content pwned x) `d; “e” ‘f’ @'\n'@ #";

    [Fact]
    public async Task Values_params_output_and_outputs_pass_through_PowerShell_unchanged()
    {
        using var folder = new WorkflowFolder();
        var result = await folder.Run("""
            name: w
            defaults: { shell: pwsh }
            params: { text: { type: string }, empty: { type: string, default: "" } }
            steps:
              - id: a
                run: |
                  using namespace System.IO
                  param($none)
                  $bare = ${{ params.text }}
                  $quoted = "<${{ params.text }}>"
                  $here = @"
                  "${{ params.text }}"
                  "@
                  $inner = "$(("x", ${{ params.text }})[1])"
                  $seen = sh -c 'printf %s "$2$3$4"' sh 1 --name=${{ params.text }} ${{ params.empty }} ${{ params.text }}
                  try { sh -c 'exit 9' } catch { 'dealt with' }
                  @{ bare = $bare; quoted = $quoted; here = $here; inner = $inner; seen = ($seen -join "`n"); param = $env:PAWL_PARAM_TEXT } | ConvertTo-Json > $env:PAWL_OUTPUT
              - id: b
                shell: bash
                run: test ${{ steps.a.outputs.bare }} = ${{ params.text }}
            """, new { text = Hostile });
        Assert.True(result.Status == RunStatus.Completed, result.Error);
        Assert.False(folder.Has("pwned"));
        using var outputs = JsonDocument.Parse(result.Output<RawJson>("a").ToString());
        var said = outputs.RootElement.EnumerateObject().ToDictionary(one => one.Name, one => one.Value.GetString());
        Assert.Equal(new Dictionary<string, string?>
        {
            ["bare"] = Hostile, ["quoted"] = $"<{Hostile}>", ["here"] = $"\"{Hostile}\"", ["inner"] = Hostile, ["seen"] = $"--name={Hostile}{Hostile}", ["param"] = Hostile,
        }, said);
    }

    [Theory]
    [InlineData("sh -c 'exit 7'", 7, "Program \"sh\" ended with non-zero exit code: 7")]
    [InlineData("Get-Item ./no-such-file", 1, "Cannot find path")]
    [InlineData("no-such-command", 127, "'no-such-command' is not recognized")]
    [InlineData("exit 3", 3, "first")]
    public async Task The_first_error_ends_a_PowerShell_step_with_its_code(string script, int code, string told)
    {
        var outcome = await RunAsync(Command($"'first'\n{script}\n'second'", ShellKind.Pwsh));
        Assert.Equal(code, outcome.ExitCode);
        var log = System.Text.Encoding.UTF8.GetString(outcome.Log.Span);
        Assert.StartsWith("first\n", log, StringComparison.Ordinal);
        Assert.DoesNotContain("second\n", log, StringComparison.Ordinal);
        Assert.Contains(told, log, StringComparison.Ordinal);
        Assert.DoesNotContain("\e", log, StringComparison.Ordinal);
        Assert.Empty(Runtime.Find(""));
    }
}

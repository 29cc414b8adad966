using System.Diagnostics;
using Pawl.Yaml;

namespace Pawl.Tests.Yaml;

public sealed class ShellQuotingTests : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("pawl-quoting").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    static readonly string[] HostileValues =
    [
        "plain", "", " ", "two words", "  both ends  ", "$(touch pwned)", "`touch pwned`", "; touch pwned;", "' ; touch pwned ; '", "\" ; touch pwned ; \"", "'\"'\"'", "\\", "\\\\", "\\'", "\\\"",
        "line\nbreak", "\ttab", "*", "/*", "?", "[a-z]", "{a,b}", "~", "-rf", "--", "-n", "$HOME", "${HOME}", "$((1+1))", "!!", "!x", "# no comment", "a#b", "&& touch pwned", "| touch pwned",
        "> pwned", "<pwned", "\r", "é🙂", "EOF", "\nEOF\ntouch pwned\n", "%s%d%n", "a[$(touch pwned)]", "$'\\x41'", "}", ")", "))", "]]", "\u0001", "x\ny\n", "\n", "${x:-$(touch pwned)}", "$(", "`",
    ];

    // Scripts, and what they print for the value {0}.
    public static TheoryData<string, string> Contexts => new()
    {
        { "printf '<%s>' ${{ v }}", "<{0}>" },
        { "printf '<%s>' \"${{ v }}\"", "<{0}>" },
        { "printf '<%s>' '${{ v }}'", "<{0}>" },
        { "printf '<%s>' a${{ v }}'b ${{ v }}'\"c $ ${{ v }}\"", "<a{0}b {0}c $ {0}>" },
        { "printf '<%s>' --opt=${{ v }} '' ${{ v }}", "<--opt={0}><><{0}>" },
        { "x=${{ v }}; printf '<%s>' \"$x\"", "<{0}>" },
        { "x='a'${{ v }}\"b\"; printf '<%s>' \"$x\"", "<a{0}b>" },
        { "f() { printf '<%s>' \"$1\"; }; f ${{ v }}", "<{0}>" },
        { "printf '<%s>' \"`echo \\`echo a\\``\"${{ v }}", "<a{0}>" },
        { "# ${{ v }} ' \" `\nprintf '<%s>' ${{ v }} # it's ${{ v }}\nprintf '<%s>' a#${{ v }}", "<{0}><a#{0}>" },
        { "case ${{ v }} in x) echo no;; *) printf '<%s>' ${{ v }};; esac", "<{0}>" },
        { "case ${{ v }} in ${{ v }}) printf '<%s>' '${{ v }}';; esac", "<{0}>" },
        { "y=\"'$(case a in a) printf '%s.' '${{ v }}';; (b) echo;; esac)\"; printf '<%s>' \"$y\" '${{ v }}'", "<'{0}.><{0}>" },
        { "y=$(printf '%s' \"a ' $(printf '%s.' \"${{ v }}\" ${{ v }})\"); printf '<%s>' \"$y\"", "<a ' {0}.{0}.>" },
        { "for i in ${{ v }} x; do printf '<%s>' \"$i\"; done", "<{0}><x>" },
        { "printf '<%s>' \"${unset:-'${{ v }}'}\" \"${unset-a\"${{ v }}\"}\"", "<'{0}'><a{0}>" },
        { "x=${unset:-${{ v }}}; printf '<%s>' \"$x\"", "<{0}>" },
        { "if [ ${{ v }} = ${{ v }} ]; then printf '<%s>' ${{ v }}; fi", "<{0}>" },
        { "printf '<%s>' \"it's \\\"${{ v }}\"", "<it's \"{0}>" },
        { "printf '<%s>' 'a\\' ${{ v }}", "<a\\><{0}>" },
        { "printf '<%s>' \\' \\\" \\# ${{ v }}", "<'><\"><#><{0}>" },
        { "printf '<%s>' a#b \"$#\" $# ${#x} '$' $ ${{ v }}", "<a#b><0><0><0><$><$><{0}>" },
        { "(printf '<%s>' ${{ v }})", "<{0}>" },
        { "x=$((1 + (2 * 3))); printf '<%s>' $x ${{ v }}", "<7><{0}>" },
        { "printf '<%s>' $( (printf a); printf b) ${{ v }}", "<ab><{0}>" },
        { "cat <<EOF\n<\"it's ${{ v }}>\\\nEOF\nEOF\nprintf '<%s>' ${{ v }}", "<\"it's {0}>EOF\n<{0}>" },
        { "printf '<%s>' ''#${{ v }}#\"${{ v }}\"#${{ v }}", "<#{0}#{0}#{0}>" },
        { "printf '<%s>' \"$( (:); printf '%s.' ${{ v }})\"", "<{0}.>" },
        { "cat <<EOF\nx\\\nEOF\n' ${{ v }}\nEOF\n", "xEOF\n' {0}\n" },
        { "cat <<-E; printf '<%s>' ${{ v }}\n\t<'${{ v }}\n\tE\n", "<'{0}\n<{0}>" },
        { "cat <<'A' - <<B; printf '<%s>' \"${{ v }}\"\n$( \" '\nA\n<\" ' ${{ v }} $(printf %s ')' \" ${{ v }}.\")>\nB\n", "<\" ' {0} ) {0}.>\n<{0}>" },
        { "printf '<%s>' ${{ v }} <<'EOF'\n it's \"\nEOF\n", "<{0}>" },
        { "x=$(cat <<EOF\n<' ${{ v }}.\nEOF\n); printf '%s' \"$x\" ${{ v }}", "<' {0}.{0}" },
    };

    public static TheoryData<string, string> BashContexts => new()
    {
        { "IFS= read -rd '' x < <(printf '%s\\0' ${{ v }}); printf '<%s>' \"$x\"", "<{0}>" },
        { "declare x=${{ v }}; readonly y=\"${{ v }}\"; export z=${{ v }}; printf '<%s>' \"$x\" \"$y\" \"$z\"", "<{0}><{0}><{0}>" },
        { "printf -v x '<%s>' ${{ v }}; printf '%s' \"$x\"", "<{0}>" },
        { "x=(a ${{ v }} \"${{ v }}\"); printf '<%s>' \"${x[@]}\"", "<a><{0}><{0}>" },
        { "if [ -n x${{ v }} ] && test -e / -a -n x${{ v }}; then printf '<%s>' ${{ v }}; fi", "<{0}>" },
        { "printf '<%s>' $'${{ v }}\\x41'", "<{0}A>" },
        { "printf '<%s>' $'\\'${{ v }}'", "<'{0}>" },
        { "[[ ${{ v }} == ${{ v }} && x == x ]] && printf '<%s>' ${{ v }}", "<{0}>" },
        { "a=(x ${{ v }} \"${{ v }}\"); printf '<%s>' \"${a[1]}\" \"${a[2]}\"", "<{0}><{0}>" },
        { "read -r -d '' x <<<${{ v }} || true; printf '<%s>' ${{ v }}", "<{0}>" },
        { "(( 1 < 2 )) && printf '<%s>' \"${{ v }}\"", "<{0}>" },
        { "for (( i = 0; i < 1; i++ )); do printf '<%s>' '${{ v }}'; done", "<{0}>" },
        { "cat <(printf '<%s>' ${{ v }})", "<{0}>" },
        { "declare -A m; m[k]=${{ v }}; printf '<%s>' \"${m[k]}\" $\"${{ v }}\"", "<{0}><{0}>" },
    };

    [Theory]
    [MemberData(nameof(Contexts))]
    [MemberData(nameof(BashContexts))]
    public void A_value_arrives_in_bash_as_it_is(string script, string expected) => EveryValueArrives(script, expected, ShellKind.Bash, "bash");

    [Theory]
    [MemberData(nameof(Contexts))]
    public void A_value_arrives_in_dash_as_it_is(string script, string expected) => EveryValueArrives(script, expected, ShellKind.Sh, "dash");

    void EveryValueArrives(string template, string pattern, ShellKind kind, string shell)
    {
        var script = ShellScript.Compile(Template.Parse(template), kind);
        Assert.DoesNotContain("${{", script.Text, StringComparison.Ordinal);
        Parallel.ForEach(HostileValues, value =>
        {
            var scope = new TestScope($$"""{"v":{{System.Text.Json.JsonSerializer.Serialize(value)}}}""");
            var (output, errors) = Run(shell, script.Text, script.Bind(scope));
            var expected = pattern.Replace("{0}", value, StringComparison.Ordinal);
            Assert.True(expected == output, $"Value {value} came as:\n{output}\ninstead of:\n{expected}\n{errors} from:\n{script.Text}");
        });
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder));
    }

    [Theory]
    [InlineData("echo $(( ${{ v }} + 1 ))")]
    [InlineData("(( x = ${{ v }} )); echo $((x + 1))")]
    [InlineData("echo $[ ${{ v }} + 1 ]")]
    [InlineData("x=1; [[ ${{ v }} -gt 0 && $x == 1 ]]; [[ 0 -lt \"${{ v }}\" ]] && echo 42")]
    [InlineData("let x=${{ v }}+1; echo $x")]
    [InlineData("let \"x=${{ v }}+1\"; echo $x")]
    [InlineData("builtin declare -i x=${{ v }}+1; echo $x")]
    [InlineData("declare -ri x=\"${{ v }}\"+1; echo $x")]
    [InlineData("f() { local -i x=${{ v }}+1; echo $x; }; f")]
    [InlineData("typeset -i x; x=${{ v }}; x+=1; echo $x")]
    [InlineData("declare -ia x=(${{ v }}+1); echo ${x[0]}")]
    [InlineData("x=([${{ v }}]=42); echo ${x[41]}")]
    [InlineData("x=(1 [${{ v }}]=42); echo ${x[41]}")]
    [InlineData("a[${{ v }}]=42; echo ${a[41]}")]
    public void Where_bash_computes_only_whole_numbers_are_let_in(string template)
    {
        var script = ShellScript.Compile(Template.Parse(template), ShellKind.Bash);
        Assert.All(script.Slots, slot => Assert.Equal(SlotUse.Number, slot.Use));
        Assert.Equal("42\n", Run("bash", script.Text, script.Bind(new TestScope("""{"v":"41"}"""))).Output);
        foreach (var evil in new[] { "a[$(touch pwned)]", "1+1", "x", "", "-", "0x10", "1 1" })
            Assert.Throws<ExpressionException>(() => script.Bind(new TestScope($$"""{"v":"{{evil}}"}""")));
    }

    [Theory]
    [InlineData("cat <<'EOF'\n${{ v }}\nEOF", 12, "write <<EOF without quotes")]
    [InlineData("cat <<\\EOF\n${{ v }}\nEOF", 11, "write <<EOF without quotes")]
    [InlineData("x=`echo ${{ v }}`", 8, "write $(…) instead")]
    [InlineData("x=\\${{ v }}", 3, "remove it")]
    [InlineData("x=\"\\${{ v }}\"", 4, "remove it")]
    [InlineData("x=$${{ v }}", 3, "A '$' directly before")]
    [InlineData("echo ${x#${{ v }}}", 9, "assign it to a variable first")]
    [InlineData("echo \"${x:${{ v }}}\"", 10, "assign it to a variable first")]
    [InlineData("echo ${a[${{ v }}]}", 9, "assign it to a variable first")]
    [InlineData("cat <<${{ v }}", 6, "end word")]
    [InlineData("declare ${{ v }}=1", 8, "Write the name")]
    [InlineData("f() { local \"${{ v }}\"; }", 13, "Write the name")]
    [InlineData("[ -v ${{ v }} ]", 5, "Write the name")]
    [InlineData("test -v \"${{ v }}\"", 9, "Write the name")]
    [InlineData("printf -v ${{ v }} x", 10, "Write the name")]
    [InlineData("IFS= read -r ${{ v }}", 13, "Write the name")]
    [InlineData("read -p prompt ${{ v }}", 15, "Write the name")]
    [InlineData("unset ${{ v }}", 6, "Write the name")]
    [InlineData("let 'x=${{ v }}'", 7, "double quotes")]
    [InlineData("[[ '${{ v }}' -eq 1 ]]", 4, "double quotes")]
    [InlineData("declare -i x='${{ v }}'", 14, "double quotes")]
    public void Places_where_no_reference_works_are_refused(string template, int offset, string hint)
    {
        var error = Assert.Throws<ExpressionException>(() => ShellScript.Compile(Template.Parse(template), ShellKind.Bash));
        Assert.Equal(offset, error.Offset);
        Assert.Contains(hint, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Dollar_quotes_are_refused_for_sh() =>
        Assert.Contains("shell: bash", Assert.Throws<ExpressionException>(() => ShellScript.Compile(Template.Parse("x=$'${{ v }}'"), ShellKind.Sh)).Problem, StringComparison.Ordinal);

    [Fact]
    public void An_expression_in_a_comment_is_never_evaluated()
    {
        var script = ShellScript.Compile(Template.Parse("echo a # ${{ no.such }}\n"), ShellKind.Bash);
        Assert.Equal("echo a # \n", script.Text);
        Assert.Empty(script.Bind(new TestScope("{}")));
    }

    [Fact]
    public void A_script_without_expressions_is_left_alone()
    {
        const string text = "echo \"${x}\" '$' <<'E'\n`unclosed \" \nE\n";
        Assert.Equal(text, ShellScript.Compile(Template.Parse(text), ShellKind.Bash).Text);
    }

    [Fact]
    public void A_value_that_no_variable_can_hold_is_refused_with_a_way_out()
    {
        var script = ShellScript.Compile(Template.Parse("echo ${{ v }}"), ShellKind.Bash);
        Assert.Contains("output the file's path", Assert.Throws<ExpressionException>(() => script.Bind(new TestScope($$"""{"v":"{{new string('x', 200_000)}}"}"""))).Problem, StringComparison.Ordinal);
        Assert.Contains("zero character", Assert.Throws<ExpressionException>(() => script.Bind(new TestScope("""{"v":"a\u0000b"}"""))).Problem, StringComparison.Ordinal);
        Assert.Contains("zero character", Assert.Throws<ExpressionException>(() => ShellScript.Compile(Template.Parse("a\0b${{ v }}"), ShellKind.Bash)).Problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Write-Output ${{ v }}", "Write-Output \"${env:PAWL_EXPR_1}\"")]
    [InlineData("Write-Output \"a ${{ v }} $(f '(' ${{ v }})\"", "Write-Output \"a ${env:PAWL_EXPR_1} $(f '(' \"${env:PAWL_EXPR_2}\")\"")]
    [InlineData("$x = @\"\n\"${{ v }}\"\n\"@ + ${{ v }}", "$x = @\"\n\"${env:PAWL_EXPR_1}\"\n\"@ + \"${env:PAWL_EXPR_2}\"")]
    [InlineData("a # ${{ v }}\n<# ${{ v }} #>b", "a # \n<#  #>b")]
    public void PowerShell_gets_its_own_references(string template, string expected) =>
        Assert.Equal(expected, ShellScript.Compile(Template.Parse(template), ShellKind.Pwsh).Text);

    [Theory]
    [InlineData("'${{ v }}'")]
    [InlineData("@'\n${{ v }}\n'@")]
    [InlineData("\"`${{ v }}\"")]
    [InlineData("Get-Item ${{ v }}/file")]
    [InlineData("Get-Item ${{ v }}.txt")]
    [InlineData("Get-Item ${{ v }}${{ v }}")]
    public void PowerShell_places_that_take_no_value_are_refused(string template) =>
        Assert.Throws<ExpressionException>(() => ShellScript.Compile(Template.Parse(template), ShellKind.Pwsh));

    [Fact]
    public void Any_soup_of_quotes_compiles_or_is_refused_and_runs_nothing()
    {
        string[] pieces = ["${{ v }}", "'", "\"", "`", "$(", ")", "(", "((", "))", "${x:-", "}", "$'", "\\", "\n", " ", "#", "<<E\n", "E\n", "<<'E'\n", "case x in ", "x) ", ";; ", "esac", "[[ ", " ]]", "echo ", "$", ";"];
        var seed = new Random().Next();
        var random = new Random(seed);
        var values = new TestScope("""{"v":"$(touch pwned)`touch pwned`';touch pwned;\";touch pwned;\ntouch pwned\n"}""");
        var ran = 0;
        for (var i = 0; i < 20_000; i++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(1, 14)).Select(_ => pieces[random.Next(pieces.Length)]));
            foreach (var (kind, shell) in new[] { (ShellKind.Bash, "bash"), (ShellKind.Sh, "dash"), (ShellKind.Pwsh, "") })
            {
                try
                {
                    var script = ShellScript.Compile(Template.Parse(text), kind);
                    Assert.Equal(text.Split("${{ v }}").Length - 1, script.Slots.Count);
                    if (script.Slots.Count == 0 || shell.Length == 0 || i % 100 != 0) continue;
                    Run(shell, script.Text, script.Bind(values));
                    ran++;
                }
                catch (ExpressionException)
                {
                }
                catch (Exception error)
                {
                    Assert.Fail($"seed {seed}, {kind}: {text}\n{error}");
                }
            }
        }
        Assert.True(ran > 20, $"Only {ran} scripts ran.");
        Assert.False(File.Exists(Path.Combine(_folder, "pwned")), $"seed {seed}");
    }

    (string Output, string Errors) Run(string shell, string script, IReadOnlyDictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(shell, ["-c", script]) { WorkingDirectory = _folder, RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach (var (name, value) in environment) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = process.StandardOutput.ReadToEnd();
        return (output, errors.GetAwaiter().GetResult());
    }
}

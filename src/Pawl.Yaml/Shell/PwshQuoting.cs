namespace Pawl.Yaml;

/// <summary>Follows the quoting of PowerShell through a script. Typographic quotes are quotes there, too.</summary>
internal sealed class PwshQuoting(ScriptWriter script)
{
    const string Double = "\"“”„";
    const string Single = "'‘’‚‛";
    const int MaxDepth = 100;
    /// <summary>What may stand behind a value that stands by itself.</summary>
    const string WordEnds = " \t\r\n;,|&)}]<>";

    int _depth;

    /// <summary>Calls a script as bash -e does: at the first error it ends, with the exit code of the program that failed (127 for one that is not there), else with 1.</summary>
    /// <remarks>From outside, since nothing may stand before a script's own <c>using</c> and <c>param</c>. An exit code that the script has dealt with is not its own.</remarks>
    public static string Caller(string file) => $$"""
        $ErrorActionPreference = 'Stop'
        $PSNativeCommandUseErrorActionPreference = $true
        if ($PSStyle) { $PSStyle.OutputRendering = 'PlainText' }
        try {
            & '{{file.Replace("'", "''", StringComparison.Ordinal)}}'
            if ($?) { exit 0 } else { exit $LASTEXITCODE }
        } catch {
            $Host.UI.WriteErrorLine(($_ | Out-String).TrimEnd())
            switch ($_.FullyQualifiedErrorId) {
                'ProgramExitedWithNonZeroCode' { exit $LASTEXITCODE }
                'CommandNotFoundException' { exit 127 }
            }
            exit 1
        }
        """;

    public void Write() => Code(nested: false);

    void Code(bool nested)
    {
        if (++_depth > MaxDepth) throw script.Error($"The script nests more than {MaxDepth} levels deep: move a part of it into a file.");
        var parens = 0;
        var wordStarts = true;
        while (!script.AtEnd)
        {
            var c = script.Peek();
            if (c == '\0') Bare();
            else if (c == '`') Escaped();
            else if (script.At("<#")) Comment("#>");
            else if (c == '#' && wordStarts) Comment("\n");
            else if (c == '@' && IsHereString(Double)) HereString(Double, SlotUse.Quoted);
            else if (c == '@' && IsHereString(Single)) HereString(Single, null);
            else if (Double.Contains(c)) DoubleQuoted();
            else if (Single.Contains(c)) SingleQuoted();
            else
            {
                script.Copy();
                if (c == '(') parens++;
                if (c == ')' && parens-- == 0 && nested) break;
            }
            wordStarts = " \t\r\n;(){}|,=".Contains(c);
        }
        _depth--;
    }

    // Behind quotes that begin a word PowerShell begins another one, or looks for a member.
    void Bare()
    {
        if (!WordEnds.Contains(script.Peek(1))) throw script.Error("PowerShell ends the word behind this value: put double quotes around the whole word, as in \"${{ … }}/file\".");
        script.Insert(SlotUse.Bare);
    }

    bool IsHereString(string quotes) => quotes.Contains(script.Peek(1)) && script.Peek(2) is '\r' or '\n';

    void Escaped()
    {
        if (script.Peek(1) == '\0') throw script.Error("A back quote directly before ${{ would quote the variable instead of the value: remove it.");
        script.Copy(2);
    }

    void Comment(string end)
    {
        while (!script.AtEnd && !script.At(end))
        {
            if (script.Peek() == '\0') script.Insert(SlotUse.Comment);
            else script.Copy();
        }
        script.Copy(end.Length);
    }

    void DoubleQuoted()
    {
        script.Copy();
        while (!script.AtEnd && !Double.Contains(script.Peek())) InsideQuotes();
        script.Copy();
    }

    void InsideQuotes()
    {
        if (script.Peek() == '\0') script.Insert(SlotUse.Quoted);
        else if (script.Peek() == '`') Escaped();
        else if (script.At("$("))
        {
            script.Copy(2);
            Code(nested: true);
        }
        else script.Copy();
    }

    void SingleQuoted()
    {
        script.Copy();
        while (!script.AtEnd && !Single.Contains(script.Peek()))
        {
            if (script.Peek() == '\0') throw script.Error("PowerShell puts no values into '…': use double quotes around the expression.");
            script.Copy();
        }
        script.Copy();
    }

    void HereString(string quotes, SlotUse? use)
    {
        script.Copy(2);
        while (!script.AtEnd && !(script.Peek() == '\n' && quotes.Contains(script.Peek(1)) && script.Peek(2) == '@'))
        {
            if (use is not null) InsideQuotes();
            else if (script.Peek() == '\0') throw script.Error("PowerShell puts no values into @'…'@: use @\"…\"@ around the expression.");
            else script.Copy();
        }
        script.Copy(3);
    }
}

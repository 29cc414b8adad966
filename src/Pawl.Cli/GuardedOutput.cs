using System.Text;

namespace Pawl.Cli;

/// <summary>What the caller reads. That it cannot be written is another thing than trouble with the store.</summary>
sealed class GuardedOutput(TextWriter inner) : TextWriter
{
    public override Encoding Encoding => inner.Encoding;

    public override void Write(char value)
    {
        try { inner.Write(value); }
        catch (IOException error) { throw new OutputException(error); }
    }

    public override void Write(char[] buffer, int index, int count)
    {
        try { inner.Write(buffer, index, count); }
        catch (IOException error) { throw new OutputException(error); }
    }

    public override void Write(string? value)
    {
        try { inner.Write(value); }
        catch (IOException error) { throw new OutputException(error); }
    }

    // In one piece: others write to the same terminal.
    public override void WriteLine(string? value)
    {
        try { inner.WriteLine(value); }
        catch (IOException error) { throw new OutputException(error); }
    }

    public override async Task WriteLineAsync(string? value)
    {
        try { await inner.WriteLineAsync(value); }
        catch (IOException error) { throw new OutputException(error); }
    }

    public override void Flush()
    {
        try { inner.Flush(); }
        catch (IOException error) { throw new OutputException(error); }
    }
}

/// <summary>Nobody can read what the command says.</summary>
sealed class OutputException(IOException error) : IOException($"The output cannot be written: {error.Message}", error);

namespace Pawl.Yaml;

/// <summary>The user's private folder for what must not outlive the machine's uptime: group files, scripts, output files.</summary>
internal sealed class RuntimeDirectory
{
    const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    RuntimeDirectory(string path) => Path = path;

    public string Path { get; }

    /// <summary><c>$XDG_RUNTIME_DIR/pawl</c>, or <c>/tmp/pawl-UID</c> where there is none.</summary>
    /// <exception cref="StepException">The folder is not the user's own.</exception>
    public static RuntimeDirectory OfUser()
    {
        var ofSession = Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR");
        return Open(System.IO.Path.IsPathFullyQualified(ofSession ?? "") && Directory.Exists(ofSession) ? System.IO.Path.Combine(ofSession!, "pawl") : $"/tmp/pawl-{Posix.EffectiveUser}");
    }

    /// <summary>Opens a folder, or creates it with mode 0700.</summary>
    /// <exception cref="StepException">It is a link, belongs to somebody else, or is open to others.</exception>
    public static RuntimeDirectory Open(string path)
    {
        try
        {
            if (OperatingSystem.IsWindows()) throw new PlatformNotSupportedException();
            var folder = new DirectoryInfo(path);
            if (!folder.Exists && folder.LinkTarget is null) Directory.CreateDirectory(path, Private);
            folder.Refresh();
            if (folder.LinkTarget is not null) throw Refused(path, "it is a symbolic link");
            if (Posix.OwnerOf(path) is { } owner && owner != Posix.EffectiveUser) throw Refused(path, $"it belongs to user {owner}");
            if ((folder.UnixFileMode & ~Private) != 0) throw Refused(path, "others may enter it (its mode must be 0700)");
            return new RuntimeDirectory(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Refused(path, error.Message);
        }
    }

    /// <summary>A new file that only the user may read.</summary>
    /// <exception cref="IOException">It exists, or cannot be written.</exception>
    public string Create(string name, ReadOnlySpan<byte> content)
    {
        var path = System.IO.Path.Combine(Path, name);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0 };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using var file = new FileStream(path, options);
        file.Write(content);
        return path;
    }

    /// <summary>The files that begin with a text.</summary>
    public IEnumerable<string> Find(string beginning) => Directory.EnumerateFiles(Path, beginning + "*");

    static StepException Refused(string path, string why) =>
        new($"Shell steps need the private folder '{path}', and it cannot be used: {why}. Remove it, or set XDG_RUNTIME_DIR to a folder of your own.");
}

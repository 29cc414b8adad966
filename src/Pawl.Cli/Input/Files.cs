namespace Pawl.Cli.Input;

/// <summary>Files that the caller names. What cannot be read is a mistake in the call, not trouble with the store.</summary>
static class Files
{
    const long MaxBytes = 16 * 1024 * 1024;

    public static string Read(string what, string path, Caller caller)
    {
        try
        {
            var file = new FileInfo(caller.FullPath(path));
            if (file.Exists && file.Length > MaxBytes) throw new UsageException($"{what} '{path}' has {file.Length / (1024 * 1024)} MiB; at most {MaxBytes / (1024 * 1024)} are read.");
            return File.ReadAllText(file.FullName);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new UsageException($"{what} '{path}' cannot be read: {Reason(error)}");
        }
    }

    static string Reason(Exception error) => error switch
    {
        FileNotFoundException or DirectoryNotFoundException => "there is no such file.",
        UnauthorizedAccessException => "access is denied (or it is a folder).",
        _ => error.Message,
    };
}

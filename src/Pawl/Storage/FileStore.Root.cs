namespace Pawl.Storage;

public sealed partial class FileStore
{
    const string Trash = ".trash-";
    const int EExist = 17, AlreadyExists = 80;

    /// <summary>Makes the root and removes what a crash left of deletions, once; and brings journals up to date with what dead processes left in group files.</summary>
    void PrepareRoot()
    {
        lock (_opening)
        {
            if (_ready)
            {
                SettleGroups();
                return;
            }
            MakeDurably(_root, _options.Shared ? Durable.Directory0755 : Durable.Directory0700);
            CheckRoot();
            var ignore = Path.Join(_root, ".gitignore");
            if (Durable.FactsOf(ignore) is null)
            {
                try
                {
                    Durable.CreateFlushed(ignore, "*\n"u8);
                    Durable.FlushDirectory(_root);
                }
                catch (IOException e) when ((e.HResult & 0xffff) is EExist or AlreadyExists)
                {
                    // Another process made it at the same moment.
                }
            }
            foreach (var trash in Directory.EnumerateDirectories(_root, Trash + "*")) Remove(trash);
            SettleGroups();
            _ready = true;
        }
    }

    static void MakeDurably(string directory, UnixFileMode mode)
    {
        var parent = Path.GetDirectoryName(directory);
        if (parent is null) return;
        var isThere = Directory.Exists(directory);
        if (!isThere)
        {
            MakeDurably(parent, Durable.Directory0755);
            Durable.TryMakeDirectory(directory, mode);
        }
        try
        {
            // The name lasts when its parent is flushed; also when one who crashed made it and did not come to this line.
            Durable.FlushDirectory(parent);
        }
        catch (DurableIOException e) when (isThere && !e.IsFlush)
        {
            // A parent that may not be read; the directory has been there before.
        }
    }

    void CheckRoot()
    {
        if (_options.Shared || Durable.FactsOf(_root) is not { IsDirectory: true } root || Durable.User == 0 || root.Owner == Durable.User) return;
        throw new IOException($"The store '{_root}' belongs to another user (id {root.Owner}). Use a directory of your own, or open it as shared.");
    }

    /// <summary>The run's directory; null when there is none. The only way from an id to a path.</summary>
    FileStoreLayout? Locate(string runId)
    {
        if (!RunIds.IsValid(runId)) return null;
        var directory = Path.Join(_root, runId);
        if (Durable.FactsOf(directory) is not { } facts) return null;
        if (facts.IsLink) throw new IOException($"'{directory}' is a symbolic link, and links inside a store are not followed. Put the run's own directory in its place.");
        if (!facts.IsDirectory) return null;
        if (!_options.Shared && facts.Owner != Durable.User && facts.Owner != Durable.FactsOf(_root)?.Owner)
            throw new IOException($"'{directory}' belongs to another user (id {facts.Owner}). Remove it, or open the store as shared.");
        return new FileStoreLayout(directory);
    }

    /// <summary>A directory without a journal is a creation that crashed: no run.</summary>
    static bool IsRun(FileStoreLayout files) => Durable.FactsOf(files.Journal) is not null;

    const string Gone = "its journal is gone";

    /// <summary>What is left of a run that lost its journal: it was held, and has what comes behind the first line. The journal last: it may be created at this moment.</summary>
    static bool IsLost(FileStoreLayout files) =>
        !IsRun(files) && files.ReadOwner().Token > 0 && new[] { files.Inbox, files.Payloads, files.Master }.Any(path => Durable.FactsOf(path) is not null) && !IsRun(files);

    /// <summary>Null when another has it, or when the run vanished.</summary>
    DurableFile? TryLock(FileStoreLayout files)
    {
        try
        {
            for (var spin = new SpinWait(); ; spin.SpinOnce())
            {
                // One who brings journals up to date holds each for a moment.
                var settling = Durable.IsLocked(_groups.Settling);
                if (Durable.TryLock(files.Lock) is { } held) return held;
                if (!settling) return null;
            }
        }
        catch (IOException) when (Durable.FactsOf(files.Directory) is null)
        {
            return null;
        }
    }

    string MoveToTrash(string runId, FileStoreLayout files, DurableFile? held)
    {
        // Windows does not rename a directory in which a file is open.
        if (OperatingSystem.IsWindows()) held?.Dispose();
        for (var n = 1; ; n++)
        {
            var trash = Path.Join(_root, $"{Trash}{runId}-{n}");
            if (Durable.FactsOf(trash) is not null) continue;
            Durable.Rename(files.Directory, trash);
            return trash;
        }
    }

    void Discard(string runId, FileStoreLayout files)
    {
        try
        {
            Remove(MoveToTrash(runId, files, null));
        }
        catch (IOException)
        {
            // The disk is failing: what is left is no run, or one that nobody was told of.
        }
    }

    static void Remove(string trash)
    {
        try
        {
            Directory.Delete(trash, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Another process removes it, or the next opening does.
        }
    }
}

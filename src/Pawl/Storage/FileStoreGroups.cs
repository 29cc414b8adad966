namespace Pawl.Storage;

/// <summary>The store's group files, <c>.group/1</c>, <c>.group/2</c>, …: each is held by the process that writes it, and is an orphan when that is dead.</summary>
/// <remarks>
/// A journal that its process could not flush any more may lack records that were acknowledged; then an orphan holds them. Whoever reads looks there for what
/// follows the journal's last whole commit. While its process lives nobody needs the file: the cache of the system shows the journals whole.
/// Reading costs one look at a directory that is mostly not there, or empty. Thread safe.
/// </remarks>
sealed class FileStoreGroups(string root, bool shared)
{
    readonly Dictionary<string, (FileFacts Facts, FileStoreGroup Group)> _read = new(StringComparer.Ordinal);

    public string Directory { get; } = Path.Join(root, ".group");

    /// <summary>Held by the one who brings journals up to date with orphans; for a moment he also holds their runs.</summary>
    public string Settling => Path.Join(Directory, "lock");

    /// <summary>What group files hold of a run; null, nearly always, when nothing. To be asked before the journal is opened: files go when the journals have all.</summary>
    /// <param name="runId">The run.</param>
    /// <param name="living">Also in files whose process lives: of a run whose own holder died the moment before.</param>
    /// <exception cref="JournalCorruptException">A file that names the run is damaged.</exception>
    public GroupedRun? Of(string runId, bool living = false)
    {
        GroupedRun? found = null;
        foreach (var path in Files(living))
        {
            if (Read(path) is not { } group || !group.Runs.TryGetValue(runId, out var run)) continue;
            if (group.Damage is { } damage) throw new JournalCorruptException(runId, 0, $"records of it may be missing in the group file '{path}': {damage}");
            found = found?.With(run) ?? run;
        }
        return found;
    }

    /// <summary>Group files, orphans or all.</summary>
    public IEnumerable<string> Files(bool living = false)
    {
        if (Durable.FactsOf(Directory) is not { IsDirectory: true }) return [];
        List<string> files = [];
        foreach (var path in System.IO.Directory.EnumerateFiles(Directory))
        {
            if (int.TryParse(Path.GetFileName(path.AsSpan()), out _) && (living || !Durable.IsLocked(path))) files.Add(path);
        }
        return files;
    }

    /// <summary>Reads one, unless it is as it was; null when it is gone.</summary>
    public FileStoreGroup? Read(string path)
    {
        using var file = Durable.TryOpenRead(path);
        lock (_read)
        {
            if (file is null)
            {
                _read.Remove(path);
                return null;
            }
            var facts = file.Facts;
            // As with runs: not what another user put there.
            if (!shared && facts.Owner != 0 && facts.Owner != Durable.User && facts.Owner != Durable.FactsOf(root)?.Owner) return null;
            if (_read.TryGetValue(path, out var known) && known.Facts == facts) return known.Group;
            var group = new FileStoreGroup(file.ReadAll());
            _read[path] = (facts, group);
            return group;
        }
    }

    /// <summary>Makes a new file that this process holds. Durable when this returns: its name.</summary>
    public DurableFile Create()
    {
        Durable.MakeDirectory(Directory);
        Durable.FlushDirectory(root);
        for (var n = 1; ; n++)
        {
            var path = Path.Join(Directory, $"{n}");
            if (Durable.FactsOf(path) is not null || Durable.TryLock(path) is not { } file) continue;
            // One that another made at the same moment, and left.
            if (file.Facts.Size > 0)
            {
                file.Dispose();
                continue;
            }
            Durable.FlushDirectory(Directory);
            return file;
        }
    }

    /// <summary>Removes a file whose records are durable in their journals. One that a crash brings back changes nothing: they have them.</summary>
    public void Remove(string path)
    {
        File.Delete(path);
        Durable.FlushDirectory(Directory);
        lock (_read) _read.Remove(path);
    }
}

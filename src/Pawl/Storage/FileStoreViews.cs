using System.Globalization;

namespace Pawl.Storage;

/// <summary>The files for people and scripts: <c>checkpoint.json</c>, <c>step_NN.complete</c>, <c>state/step_NN_state.json</c>.</summary>
/// <remarks>
/// Derived from the journal and never read to decide anything. Written behind the commits, by rename and without a flush, so a crash
/// may leave them behind; the next claim brings them up to date. A failure to write one never touches the run. A run that is paused while the files of very
/// many steps are still to be written, as a long fork is, gets them with its next claim too: whoever pauses or forks does not wait for them.
/// </remarks>
sealed class FileStoreViews(FileStoreLayout files, FileStoreViewPace pace, RunOwner owner)
{
    // Steps whose files a pause still writes: about as long as a person does not notice.
    const int MostBehindPause = 1000;

    readonly Lock _gate = new();
    readonly Lock _writing = new();
    ViewModel _model = new();
    bool _waits, _rebuild, _incomplete, _closed;

    /// <summary>Takes in the whole journal. Unless everything is in place already, all views are written.</summary>
    public void Begin(IReadOnlyList<Checkpoint> records, bool upToDate)
    {
        foreach (var record in records) Apply(record);
        _rebuild = false;
        if (upToDate && AllInPlace()) _model.Pending.Clear();
        else Ask(atOnce: true);
    }

    /// <summary>Takes in new records; the files follow within a moment.</summary>
    public void Changed(IReadOnlyList<Checkpoint> records)
    {
        lock (_gate)
        {
            for (var i = 0; i < records.Count; i++) Apply(records[i]);
            Ask(atOnce: false);
        }
    }

    void Apply(Checkpoint record)
    {
        try
        {
            if (_model.Apply(record)) _rebuild = true;
        }
        catch (Exception)
        {
            // A record of an unexpected shape spoils a view at most; the commit stands.
            _incomplete = true;
        }
    }

    void Ask(bool atOnce)
    {
        if (_waits || _closed) return;
        _waits = true;
        pace.Add(this, atOnce);
    }

    /// <summary>Writes what is missing a last time, and marks the views as complete.</summary>
    public void Close()
    {
        lock (_gate)
        {
            if (_model.IsPaused && _model.Pending.Count > MostBehindPause)
            {
                _model.Pending.Clear();
                _incomplete = true;
            }
        }
        Write();
        if (_incomplete) return;
        try
        {
            // The same time on both files says that the views hold the whole journal.
            File.SetLastWriteTimeUtc(files.Master, File.GetLastWriteTimeUtc(files.Journal));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // They are then written again by the next claim.
        }
    }

    /// <summary>Ends without writing.</summary>
    public void Abandon()
    {
        // Behind this line no file of the run is touched: it may be another process's.
        lock (_writing)
        {
            lock (_gate) _closed = true;
        }
    }

    /// <summary>Whether a release left the views complete, and nobody wrote to the journal since.</summary>
    public static bool AreComplete(FileStoreLayout files) =>
        File.Exists(files.Master) && File.GetLastWriteTimeUtc(files.Master) == File.GetLastWriteTimeUtc(files.Journal);


    bool AllInPlace() => Markers().SetEquals(_model.Completed.Select(MarkerName)) && StateFiles().IsSupersetOf(_model.Known.Select(StateName));

    HashSet<string> Markers() => [.. Directory.EnumerateFiles(files.Directory, "step_*.complete").Select(path => Path.GetFileName(path))];

    HashSet<string> StateFiles() => Durable.FactsOf(files.State) is { IsDirectory: true } ? [.. Directory.EnumerateFiles(files.State, "step_*_state.json").Select(path => Path.GetFileName(path))] : [];

    static string MarkerName(int index) => string.Create(CultureInfo.InvariantCulture, $"step_{index:D2}.complete");

    static string StateName(int index) => string.Create(CultureInfo.InvariantCulture, $"step_{index:D2}_state.json");

    /// <summary>Writes what changed, when its turn has come.</summary>
    public void WriteBehind()
    {
        lock (_gate)
        {
            _waits = false;
            // The run is given back at once: its last files are written, or left, then.
            if (_model.IsPaused) return;
        }
        Write();
    }

    void Write()
    {
        lock (_writing)
        {
            if (_closed) return;
            try
            {
                bool rebuild;
                lock (_gate) (rebuild, _rebuild) = (_rebuild, false);
                if (rebuild) Rebuild();
                ViewModel model;
                lock (_gate)
                {
                    if (!_model.Dirty) return;
                    model = _model.Take();
                }
                foreach (var (index, record) in model.Pending) WriteStep(model, index, record);
                Put(files.Directory, FileStoreLayout.MasterName, model.Master(files, owner));
            }
            catch (Exception)
            {
                // On a timer's thread nobody hears it, and no view is worth a run: the next claim writes them again.
                _incomplete = true;
            }
        }
    }

    /// <summary>The definition changed, and with it perhaps every number: all views are made anew.</summary>
    void Rebuild()
    {
        var model = new ViewModel();
        using (var file = Durable.Open(files.Journal, Durable.Use.Read))
        {
            foreach (var record in new FileStoreJournal(file, Path.GetFileName(files.Directory), keep: true).Records()) model.Apply(record);
        }
        foreach (var name in Markers().Except(model.Completed.Select(MarkerName))) File.Delete(Path.Join(files.Directory, name));
        foreach (var name in StateFiles().Except(model.Known.Select(StateName))) File.Delete(Path.Join(files.State, name));
        lock (_gate) _model = model;
    }

    void WriteStep(ViewModel model, int index, Checkpoint? record)
    {
        var marker = Path.Join(files.Directory, MarkerName(index));
        if (record is null)
        {
            // A new pass decides about the step anew; its last state stays to be read.
            File.Delete(marker);
            return;
        }
        Durable.MakeDirectory(files.State);
        Put(files.State, StateName(index), ViewModel.State(index, record));
        if (record.Kind == CheckpointKind.Step && record.Status == StepStatus.Completed) Put(files.Directory, MarkerName(index), ViewModel.Marker(index, record));
        else File.Delete(marker);
    }

    static void Put(string directory, string name, ReadOnlySpan<byte> content)
    {
        var temporary = Path.Join(directory, $".{name}.tmp");
        File.Delete(temporary);
        using (var file = Durable.Open(temporary, Durable.Use.Create)) file.Append(content);
        Durable.Rename(temporary, Path.Join(directory, name));
    }
}

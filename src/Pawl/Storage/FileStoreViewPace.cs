using System.Diagnostics;

namespace Pawl.Storage;

/// <summary>When views are written: all that changed, one run's behind the other's, so that they take at most a fifth of the time from the steps, however many runs there are.</summary>
/// <remarks>Thread safe.</remarks>
sealed class FileStoreViewPace(TimeProvider time) : IDisposable
{
    static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(100);

    readonly Lock _gate = new();
    List<FileStoreViews> _changed = [];
    TimeSpan _rest = TimeSpan.Zero;
    ITimer? _timer;
    bool _scheduled;

    /// <summary>Its files are written within a moment.</summary>
    public void Add(FileStoreViews views, bool atOnce)
    {
        lock (_gate)
        {
            _changed.Add(views);
            if (!_scheduled) Schedule(atOnce ? TimeSpan.Zero : s_pause);
        }
    }

    void Schedule(TimeSpan pause)
    {
        _scheduled = true;
        _timer ??= time.CreateTimer(static state => ((FileStoreViewPace)state!).Write(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _timer.Change(pause > _rest ? pause : _rest, Timeout.InfiniteTimeSpan);
    }

    void Write()
    {
        var began = Stopwatch.GetTimestamp();
        List<FileStoreViews> changed;
        lock (_gate) (changed, _changed) = (_changed, []);
        foreach (var views in changed) views.WriteBehind();
        lock (_gate)
        {
            (_rest, _scheduled) = (Stopwatch.GetElapsedTime(began) * 4, false);
            if (_changed.Count > 0) Schedule(s_pause);
        }
    }

    /// <summary>Nothing is written any more. All runs have been given back.</summary>
    public void Dispose()
    {
        lock (_gate) _timer?.Dispose();
    }
}

using Microsoft.Extensions.Logging;

namespace Pawl.Diagnostics;

/// <summary>Tells of a store that cannot be reached: when it begins, once a minute, and when it is over; however many ask meanwhile. Thread safe.</summary>
sealed class StoreAbsence(ILogger log, TimeProvider time)
{
    static readonly TimeSpan s_again = TimeSpan.FromMinutes(1);

    readonly Lock _lock = new();
    long _began, _told;
    volatile bool _isAway;

    /// <summary>It could not be reached.</summary>
    public void Met(string why)
    {
        lock (_lock)
        {
            if (_isAway && time.GetElapsedTime(_told) < s_again) return;
            _told = time.GetTimestamp();
            if (!_isAway) _began = _told;
            _isAway = true;
        }
        Log.StoreAway(log, why);
    }

    /// <summary>It answered.</summary>
    public void Over()
    {
        if (!_isAway) return;
        lock (_lock)
        {
            if (!_isAway) return;
            _isAway = false;
        }
        Log.StoreBack(log, (long)time.GetElapsedTime(_began).TotalSeconds);
    }
}

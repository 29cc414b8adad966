using System.ComponentModel;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Pawl.Yaml;

/// <summary>The processes of one attempt of a step: a session that its first process leads. A file names them while they may live, so that
/// whoever runs the step next ends what a killed runner left.</summary>
internal sealed class StepGroup
{
    /// <summary>Marks every process of a step, also one that left the session.</summary>
    public const string Marker = "PAWL_STEP_KEY";

    static readonly TimeSpan LeftOverGrace = TimeSpan.FromSeconds(2);
    static readonly TimeSpan KillWait = TimeSpan.FromSeconds(10);
    static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(10);

    readonly int _leader;

    StepGroup(int leader) => _leader = leader;

    /// <summary>The name of a step on this machine.</summary>
    public static string KeyOf(string step) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(step)).AsSpan(0, 16));

    /// <summary>Names the group in a file. Until this returned, no process of the step may be started.</summary>
    public static StepGroup Record(RuntimeDirectory directory, string filePrefix, int leader)
    {
        var started = ProcessTable.Find(leader)?.Started ?? 0;
        var runner = ProcessTable.Find(Environment.ProcessId)?.Started ?? 0;
        directory.Create($"{filePrefix}.group", Encoding.UTF8.GetBytes($"{ProcessTable.Realm} {leader} {started} {Environment.ProcessId} {runner}\n"));
        return new StepGroup(leader);
    }

    /// <summary>Kills what is left of the group at the end of a step. The watcher has kept the group's number taken until now.</summary>
    public void Kill() => TrySignal(new ProcessFacts(_leader, _leader, _leader, 0), Posix.SigKill);

    /// <summary>Asks every process of the session to end, and kills what has not ended after the grace.</summary>
    public async Task StopAsync(TimeSpan grace, Task leaderEnded, TimeProvider time)
    {
        Signal(Posix.SigTerm);
        var graceOver = Task.Delay(grace, time);
        // The watcher is the one member that stays.
        while (!graceOver.IsCompleted && !(leaderEnded.IsCompleted && Session().Count() <= 1))
            await Task.WhenAny(graceOver, Task.Delay(Tick, TimeProvider.System));
        Signal(Posix.SigKill);
    }

    /// <summary>Ends every process that earlier attempts of the step left on this machine, and returns when they are gone.</summary>
    /// <param name="directory">Where group files are.</param>
    /// <param name="key">The step.</param>
    /// <param name="isRepeated">Looks for processes that left their session even when no file tells of an attempt that was cut off.</param>
    /// <param name="time">For the pauses.</param>
    /// <param name="cancellationToken">Stops waiting; what was asked to end may still live.</param>
    /// <exception cref="StepException">They cannot be ended.</exception>
    public static async Task EndLeftOversAsync(RuntimeDirectory directory, string key, bool isRepeated, TimeProvider time, CancellationToken cancellationToken)
    {
        List<ProcessFacts> leaders = [];
        List<string> done = [];
        var isShared = false;
        foreach (var file in directory.Find($"{key}.").Where(file => file.EndsWith(".group", StringComparison.Ordinal)))
        {
            var isValid = TryRead(file, out var leader, out var runner);
            // A run of another store may bear the same name: what belongs to a living runner is left alone.
            if (isValid && runner.Id != Environment.ProcessId && ProcessTable.Find(runner.Id)?.Started == runner.Started)
            {
                isShared = true;
                continue;
            }
            done.Add(file);
            if (isValid) leaders.Add(leader);
        }
        if (leaders.Count > 0 || isRepeated) await EndAsync(() => LeftOvers(leaders, isShared ? null : $"{Marker}={key}"), time, cancellationToken);
        // Only now: a runner killed while it waits must find the files again.
        foreach (var file in done.SelectMany(file => directory.Find(Path.GetFileNameWithoutExtension(file) + "."))) File.Delete(file);
    }

    static async Task EndAsync(Func<List<ProcessFacts>> find, TimeProvider time, CancellationToken cancellationToken)
    {
        var since = time.GetTimestamp();
        HashSet<int> asked = [];
        for (var left = find(); left.Count > 0; left = find())
        {
            var waited = time.GetElapsedTime(since);
            if (waited > LeftOverGrace + KillWait)
                throw new StepException($"Process {left[0].Id}, left by an earlier attempt of this step, does not end. End it, then resume.", ErrorClass.Transient);
            foreach (var process in left)
            {
                if (waited > LeftOverGrace) TrySignal(process, Posix.SigKill);
                else if (asked.Add(process.Id)) TrySignal(process, Posix.SigTerm);
            }
            await Task.Delay(Tick, time, cancellationToken);
        }
    }

    static List<ProcessFacts> LeftOvers(List<ProcessFacts> leaders, string? marker)
    {
        var alive = leaders.Where(leader => ProcessTable.Find(leader.Id)?.Started == leader.Started).ToList();
        if (!OperatingSystem.IsLinux()) return alive;
        var ownSession = ProcessTable.Find(Environment.ProcessId)?.Session;
        return
        [
            // Session 0 is the kernel's own threads.
            .. ProcessTable.All().Where(process => process.Session > 0 && process.Session != ownSession
                && (alive.Exists(leader => leader.Id == process.Session || leader.Id == process.Group) || (marker is not null && ProcessTable.HasVariable(process.Id, marker)))),
        ];
    }

    IEnumerable<ProcessFacts> Session() => ProcessTable.All().Where(process => process.Session == _leader || process.Group == _leader);

    // Jobs of 'set -m' are in groups of their own.
    void Signal(int signal)
    {
        foreach (var process in Session().Where(process => process.Group != _leader)) TrySignal(process, signal);
        TrySignal(new ProcessFacts(_leader, _leader, _leader, 0), signal);
    }

    static void TrySignal(ProcessFacts process, int signal)
    {
        try
        {
            if (process.Id == process.Group) Posix.SignalGroup(process.Id, signal);
            else Posix.Signal(process.Id, signal);
        }
        catch (Win32Exception)
        {
            // It changed its user. Where it matters that it lives on, that is found out by looking again.
        }
    }

    static bool TryRead(string file, out ProcessFacts leader, out ProcessFacts runner)
    {
        (leader, runner) = (default, default);
        string[] words;
        try
        {
            words = File.ReadAllText(file).TrimEnd().Split(' ');
        }
        catch (FileNotFoundException)
        {
            // Its runner ended it in this moment.
            return false;
        }
        if (words.Length != 5 || words[0] != ProcessTable.Realm) return false;
        var numbers = words[1..].Select(word => long.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0).ToArray();
        leader = new ProcessFacts((int)numbers[0], (int)numbers[0], (int)numbers[0], numbers[1]);
        runner = new ProcessFacts((int)numbers[2], 0, 0, numbers[3]);
        return leader.Id > 1;
    }
}

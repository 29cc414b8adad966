using System.Diagnostics;
using System.Globalization;
using System.Net;

namespace Pawl.Stores.Chaos;

/// <summary>A network of its own for one worker, as on another machine, and the only cable between it and this one. Needs Linux, root and the program <c>ip</c>.</summary>
sealed class Cable : IDisposable
{
    static int s_count;

    readonly string _name = string.Create(CultureInfo.InvariantCulture, $"pw{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}");

    public Cable()
    {
        var network = $"10.213.{(Environment.ProcessId * 5 + s_count) % 250}";
        Here = IPAddress.Parse($"{network}.1");
        Ip($"netns add {_name}");
        Ip($"link add {_name} type veth peer name eth0 netns {_name}");
        Ip($"address add {network}.1/30 dev {_name}");
        Ip($"link set {_name} up");
        Ip($"-n {_name} address add {network}.2/30 dev eth0");
        Ip($"-n {_name} link set eth0 up");
    }

    /// <summary>Where this machine is, seen from the other.</summary>
    public IPAddress Here { get; }

    /// <summary>Runs a program over there; it keeps the process that begins it.</summary>
    public string[] Command(string program) => ["ip", "netns", "exec", _name, program];

    /// <summary>Packets get lost from here on, and nobody is told.</summary>
    public void Pull() => Ip($"link set {_name} down");

    public void Plug() => Ip($"link set {_name} up");

    public void Dispose() => Ip($"netns delete {_name}");

    static void Ip(string words)
    {
        using var process = Process.Start(new ProcessStartInfo("ip", words) { RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0) throw new InvalidOperationException($"ip {words}: {error}");
    }
}

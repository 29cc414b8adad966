using System.Diagnostics;
using System.Globalization;

namespace Pawl.Benchmarks;

/// <summary>Processor time of this process and of a database server's processes: what stays comparable while others use the machine.</summary>
sealed class ProcessorTime(int server = 0)
{
    readonly TimeSpan _client = Client;
    readonly TimeSpan _server = Server(server);

    /// <summary>Since this was made, for each of so many steps.</summary>
    public (double Client, double Server) Each(int steps) => ((Client - _client).TotalMicroseconds / steps, (Server(server) - _server).TotalMicroseconds / steps);

    static TimeSpan Client
    {
        get
        {
            using var self = Process.GetCurrentProcess();
            return self.TotalProcessorTime;
        }
    }

    // pid (name) state ppid …: of the postmaster with the children that it waited for, and of its living children. In ticks of 10 ms.
    static TimeSpan Server(int server)
    {
        if (server == 0) return default;
        var ticks = 0L;
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var pid)) continue;
            try
            {
                var stat = File.ReadAllText(Path.Combine(folder, "stat"));
                var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
                if (pid != server && fields[1] != server.ToString(CultureInfo.InvariantCulture)) continue;
                ticks += fields[11..(pid == server ? 15 : 13)].Sum(field => long.Parse(field, CultureInfo.InvariantCulture));
            }
            catch (IOException)
            {
                // It ended meanwhile.
            }
        }
        return TimeSpan.FromMilliseconds(ticks * 10);
    }

    /// <summary>The server that a backend belongs to.</summary>
    public static int ParentOf(int pid)
    {
        var stat = File.ReadAllText($"/proc/{pid}/stat");
        return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture);
    }
}

using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Pawl.Tests.Storage;

/// <summary>Records with strace what a subject does to a store, and injects failures into its system calls.</summary>
static partial class Trace
{
    const string Calls = "open,openat,creat,write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,sync_file_range,rename,renameat,renameat2,link,linkat,symlink,mkdir,mkdirat,unlink,unlinkat,rmdir,truncate,ftruncate,fallocate,copy_file_range,sendfile,close,dup,dup2,dup3";

    public static async Task<List<DiskOp>> Record(string what, string root)
    {
        var file = Path.Join(Path.GetTempPath(), $"pawl-trace-{Environment.ProcessId}-{Stopwatch.GetTimestamp()}");
        try
        {
            await Subject.Run(what, root, Strace, "-f", "-qq", "--seccomp-bpf", "-xx", "-s", "10000000", "-e", $"trace={Calls}", "-e", "signal=none", "-o", file);
            return Parse(await File.ReadAllLinesAsync(file), Path.GetDirectoryName(root)!);
        }
        finally
        {
            File.Delete(file);
        }
    }

    /// <summary>Runs a subject whose Nth call of a kind on the store fails.</summary>
    /// <returns>Its output, and the call that was made to fail; null when there was no Nth.</returns>
    public static async Task<(List<string> Output, string? Injected)> Inject(string what, string root, string call, string error, string when, IEnumerable<string> paths)
    {
        var file = Path.Join(Path.GetTempPath(), $"pawl-inject-{Environment.ProcessId}-{Stopwatch.GetTimestamp()}");
        try
        {
            var output = await Subject.Run(what, root, [Strace, "-f", "-qq", "-y", .. paths.SelectMany(path => new[] { "-P", path }), "-e", $"trace={call}", "-e", "signal=none", "-e", $"inject={call}:error={error}:when={when}", "-o", file]);
            return (output, (await File.ReadAllLinesAsync(file)).FirstOrDefault(line => line.Contains("(INJECTED)", StringComparison.Ordinal)));
        }
        finally
        {
            File.Delete(file);
        }
    }

    static string Strace => File.Exists("/usr/bin/strace") ? "/usr/bin/strace" : throw new InvalidOperationException("These tests need strace: apt-get install -y strace");

    static List<DiskOp> Parse(string[] lines, string parent)
    {
        List<DiskOp> ops = [];
        Dictionary<int, string> files = [];
        Dictionary<string, string> unfinished = [];
        HashSet<string> made = [];
        foreach (var raw in lines)
        {
            var (thread, line) = (raw[..raw.IndexOf(' ', StringComparison.Ordinal)], raw[(raw.IndexOf(' ', StringComparison.Ordinal) + 1)..].TrimStart());
            if (line.EndsWith(" <unfinished ...>", StringComparison.Ordinal))
            {
                unfinished[thread] = line[..^" <unfinished ...>".Length];
                continue;
            }
            if (Resumed().Match(line) is { Success: true } resumed) line = unfinished[thread] + line[resumed.Length..];
            if (Call().Match(line) is not { Success: true } match || match.Groups["result"].Value.StartsWith('-')) continue;
            var (call, rest, result) = (match.Groups["call"].Value, match.Groups["args"].Value, int.Parse(match.Groups["result"].Value, CultureInfo.InvariantCulture));
            var texts = Text().Matches(rest).Select(text => Unhex(text.Groups[1].Value)).ToList();
            var paths = texts.Select(text => System.Text.Encoding.UTF8.GetString(text)).ToList();
            var fd = int.TryParse(rest.Split(',')[0], out var number) ? number : -1;
            switch (call)
            {
                case "openat" or "open":
                    files.Remove(result);
                    if (Below(paths[0]) is not { } opened) break;
                    files[result] = opened;
                    if (rest.Contains("O_TRUNC", StringComparison.Ordinal)) throw new NotSupportedException($"NOT MODELLED: {line}");
                    if (rest.Contains("O_CREAT", StringComparison.Ordinal) && made.Add(opened)) ops.Add(new DiskOp("create", opened));
                    break;
                case "close": files.Remove(fd); break;
                case "write" when !files.ContainsKey(fd):
                    if (paths.Count > 0 && paths[0].StartsWith("ACK ", StringComparison.Ordinal)) ops.Add(new DiskOp("ack", paths[0][4..].TrimEnd('\n')));
                    break;
                case "write" when files.TryGetValue(fd, out var path): ops.Add(new DiskOp("write", path, Bytes: texts[0][..result])); break;
                case "pwrite64" when files.TryGetValue(fd, out var path): ops.Add(new DiskOp("write", path, Bytes: texts[0][..result], Offset: long.Parse(rest[(rest.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture))); break;
                case "ftruncate" when files.TryGetValue(fd, out var path): ops.Add(new DiskOp("truncate", path, Offset: long.Parse(rest[(rest.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture))); break;
                case "fsync" or "fdatasync" when files.TryGetValue(fd, out var path): ops.Add(new DiskOp("flush", path)); break;
                case "mkdir" when Below(paths[0]) is { } directory: ops.Add(new DiskOp("mkdir", directory)); break;
                case "unlink" or "rmdir" when Below(paths[0]) is { } gone: made.Remove(gone); ops.Add(new DiskOp(call, gone)); break;
                case "rename" when Below(paths[0]) is { } from:
                    made.RemoveWhere(name => name == from || name.StartsWith(from + "/", StringComparison.Ordinal));
                    made.Add(Below(paths[1])!);
                    ops.Add(new DiskOp("rename", from, Below(paths[1])));
                    break;
                default:
                    if (paths.Exists(path => Below(path) is not null) || files.ContainsKey(fd)) throw new NotSupportedException($"NOT MODELLED: {line}");
                    break;
            }
        }
        return ops;

        string? Below(string path) => path == parent ? "" : path.StartsWith(parent + "/", StringComparison.Ordinal) ? path[(parent.Length + 1)..] : null;
    }

    static byte[] Unhex(string text) => Convert.FromHexString(text.Replace("\\x", "", StringComparison.Ordinal));

    [GeneratedRegex(@"^<\.\.\. \w+ resumed>\)?")]
    private static partial Regex Resumed();

    [GeneratedRegex(@"^(?<call>\w+)\((?<args>.*)\)\s+= (?<result>-?\d+)")]
    private static partial Regex Call();

    [GeneratedRegex("\"((?:\\\\x[0-9a-f]{2})*)\"")]
    private static partial Regex Text();
}

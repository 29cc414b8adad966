using System.Security.Cryptography;
using System.Text;

namespace Pawl.Tests.Storage;

/// <summary>One recorded change, flush or acknowledgement.</summary>
/// <param name="Call">Name of the system call, or <c>ack</c>.</param>
/// <param name="Path">What it touched; for an acknowledgement what was acknowledged.</param>
/// <param name="To">Second path of a rename.</param>
/// <param name="Bytes">What was written.</param>
/// <param name="Offset">Where; -1 is the end. For a truncation the length.</param>
sealed record DiskOp(string Call, string Path, string? To = null, byte[]? Bytes = null, long Offset = -1);

/// <summary>A disk as POSIX allows it to be after a loss of power: unflushed names and bytes may be there or not, in any combination.</summary>
sealed class DiskModel
{
    public sealed class Node(bool isDirectory, string path = "")
    {
        /// <summary>A file that nothing is decided by: all of these names are there, or none.</summary>
        public bool IsView { get; } = path.EndsWith("/state", StringComparison.Ordinal) || path.Contains("/.step_", StringComparison.Ordinal) || path.Contains("/.checkpoint.json", StringComparison.Ordinal);

        /// <summary>Its content is written whole or not at all here; the bytes decide nothing.</summary>
        public bool IsPlain => IsView || path.EndsWith("/lock", StringComparison.Ordinal);

        public bool IsDirectory { get; } = isDirectory;
        public Dictionary<string, Node> Names { get; } = [];
        public byte[] Durable { get; set; } = [];
        public byte[] Live { get; set; } = [];
        public List<(long Offset, byte[]? Bytes)> Writes { get; } = [];
        public List<NameChange> Changes { get; } = [];
        public Dictionary<string, Node> DurableNames { get; } = [];
    }

    /// <summary>Something that happened to names; one act, even when it concerns two.</summary>
    public sealed record NameChange(string? Removed, string? Added, Node? Node);

    public Node Root { get; } = new(isDirectory: true);

    public void Apply(DiskOp op)
    {
        switch (op.Call)
        {
            case "mkdir": Add(op.Path, new Node(isDirectory: true, op.Path)); break;
            case "create": Add(op.Path, new Node(isDirectory: false, op.Path)); break;
            case "unlink" or "rmdir":
                var (parent, name) = Parent(op.Path);
                parent.Names.Remove(name);
                parent.Changes.Add(new NameChange(name, null, null));
                break;
            case "rename":
                var ((from, old), (to, fresh)) = (Parent(op.Path), Parent(op.To!));
                if (from != to) throw new NotSupportedException("NOT MODELLED: a rename between directories");
                var node = from.Names[old];
                from.Names.Remove(old);
                from.Names[fresh] = node;
                from.Changes.Add(new NameChange(old, fresh, node));
                break;
            case "write" or "truncate":
                var file = Find(op.Path);
                var offset = op.Offset < 0 ? file.Live.Length : op.Offset;
                file.Live = Change(file.Live, offset, op.Bytes);
                file.Writes.Add((offset, op.Bytes));
                break;
            case "flush":
                var flushed = Find(op.Path);
                if (flushed.IsDirectory)
                {
                    foreach (var change in flushed.Changes) Apply(flushed.DurableNames, change);
                    flushed.Changes.Clear();
                }
                flushed.Durable = flushed.Live;
                flushed.Writes.Clear();
                break;
            default: throw new NotSupportedException($"NOT MODELLED: {op.Call}");
        }
    }

    void Add(string path, Node node)
    {
        var (parent, name) = Parent(path);
        parent.Names[name] = node;
        parent.Changes.Add(new NameChange(null, name, node));
    }

    (Node Parent, string Name) Parent(string path)
    {
        var cut = path.LastIndexOf('/');
        return (Find(path[..Math.Max(cut, 0)]), path[(cut + 1)..]);
    }

    Node Find(string path) => path.Split('/', StringSplitOptions.RemoveEmptyEntries).Aggregate(Root, (node, name) => node.Names[name]);

    public bool Exists(string path)
    {
        var node = Root;
        foreach (var name in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (!node.Names.TryGetValue(name, out node!)) return false;
        }
        return true;
    }

    static void Apply(Dictionary<string, Node> names, NameChange change)
    {
        if (change.Removed is { } removed) names.Remove(removed);
        if (change.Added is { } added) names[added] = change.Node!;
    }

    static byte[] Change(byte[] content, long offset, byte[]? bytes)
    {
        if (bytes is null) return [.. content.Take((int)offset), .. new byte[Math.Max(0, offset - content.Length)]];
        var changed = new byte[Math.Max(content.Length, offset + bytes.Length)];
        content.CopyTo(changed, 0);
        bytes.CopyTo(changed, offset);
        return changed;
    }

    /// <summary>Every tree that may be found after a loss of power at this moment.</summary>
    public IEnumerable<Dictionary<string, byte[]?>> States(int most = 1000)
    {
        List<(Node Node, int Choices)> choices = [];
        Collect(Root, choices, []);
        long product = 1;
        foreach (var (_, count) in choices) product = Math.Min(product * count, long.MaxValue / 64);
        var random = new Random(20251218);
        // All combinations when they are few; else a fixed draw of them, with the extremes.
        for (long n = 0; n < Math.Min(product, most); n++)
        {
            Dictionary<Node, int> pick = new(ReferenceEqualityComparer.Instance);
            var rest = product <= most ? n : n == 0 ? 0 : n == 1 ? product - 1 : random.NextInt64(product);
            foreach (var (node, count) in choices)
            {
                pick[node] = (int)(rest % count);
                rest /= count;
            }
            Dictionary<string, byte[]?> tree = new(StringComparer.Ordinal);
            Build(Root, "", pick, tree);
            yield return tree;
        }
    }

    static void Collect(Node node, List<(Node, int)> choices, HashSet<Node> seen)
    {
        if (!seen.Add(node)) return;
        if (node.IsDirectory)
        {
            if (node.Changes.Count > 0) choices.Add((node, 1 << Bits(node).Max() + 1));
            foreach (var child in node.DurableNames.Values.Concat(node.Names.Values).Concat(node.Changes.Where(change => change.Node is not null).Select(change => change.Node!))) Collect(child, choices, seen);
        }
        else if (node.Writes.Count > 0) choices.Add((node, Contents(node).Count));
    }

    /// <summary>For each unflushed change of names the bit that decides about it: one each, one together for the views.</summary>
    static List<int> Bits(Node directory)
    {
        var next = 0;
        return [.. directory.Changes.Select(change => change.Node is { IsView: true } ? 0 : Math.Min(++next, 20))];
    }

    static void Build(Node directory, string path, Dictionary<Node, int> pick, Dictionary<string, byte[]?> tree)
    {
        Dictionary<string, Node> names = new(directory.DurableNames);
        var (mask, bits) = (pick.GetValueOrDefault(directory), Bits(directory));
        for (var i = 0; i < bits.Count; i++)
        {
            if ((mask >> bits[i] & 1) == 1) Apply(names, directory.Changes[i]);
        }
        foreach (var (name, node) in names)
        {
            var full = path.Length == 0 ? name : $"{path}/{name}";
            tree[full] = node.IsDirectory ? null : pick.TryGetValue(node, out var content) ? Contents(node)[content] : node.Durable;
            if (node.IsDirectory) Build(node, full, pick, tree);
        }
    }

    /// <summary>What the file may hold: nothing new, all of it, and each way in which the last write can be torn.</summary>
    static List<byte[]> Contents(Node node)
    {
        List<byte[]> contents = [node.Durable, node.Live];
        var (offset, bytes) = node.Writes[^1];
        if (bytes is null || node.IsPlain) return contents;
        var before = node.Writes.SkipLast(1).Aggregate(node.Durable, (content, write) => Change(content, write.Offset, write.Bytes));
        var half = bytes.Length / 2;
        var line = Array.IndexOf(bytes, (byte)'\n') + 1;
        for (var i = Math.Max(0, node.Writes.Count - 5); i < node.Writes.Count - 1; i++)
        {
            // Of several unflushed writes one did not reach the disk, or none from it on.
            if (node.Writes[i].Bytes is not { } lost) continue;
            contents.Add(All(node, i, Old(node.Writes[i].Offset, lost.Length)));
            contents.Add(All(node, i, [.. lost[..(lost.Length / 2)], .. Old(node.Writes[i].Offset + lost.Length / 2, lost.Length - lost.Length / 2)]));
            contents.Add(node.Writes.Take(i).Aggregate(node.Durable, (content, write) => Change(content, write.Offset, write.Bytes)));
        }
        contents.Add(Change(before, offset, bytes[..half]));
        contents.Add(Change(before, offset, bytes[..^1]));
        contents.Add(Change(before, offset, Old(offset, bytes.Length)));
        contents.Add(Change(before, offset, [.. Old(offset, half), .. bytes[half..]]));
        contents.Add(Change(before, offset, [.. bytes[..half], .. Old(offset + half, bytes.Length - half)]));
        if (line > 0 && line < bytes.Length)
        {
            contents.Add(Change(before, offset, bytes[..line]));
            contents.Add(Change(before, offset, [.. Old(offset, line - 1), .. bytes[(line - 1)..]]));
            if (line >= 5 && line + 3 <= bytes.Length) contents.Add(Change(before, offset, [.. bytes[..(line - 5)], .. Old(offset + line - 5, 8), .. bytes[(line + 3)..]]));
        }
        return contents;

        // What was not written stays as it was; behind the old end there are zeros.
        byte[] Old(long from, int length) => [.. Enumerable.Range(0, length).Select(i => from + i < node.Durable.Length ? node.Durable[from + i] : (byte)0)];
    }

    static byte[] All(Node node, int at, byte[] instead) =>
        node.Writes.Select((write, i) => i == at ? (write.Offset, instead) : write).Aggregate(node.Durable, (content, write) => Change(content, write.Offset, write.Item2));

    /// <summary>Paths of all directories, the root as the empty one.</summary>
    public IEnumerable<string> Directories()
    {
        return Below(Root, "");

        static IEnumerable<string> Below(Node node, string path) =>
            [path, .. node.Names.Where(child => child.Value.IsDirectory).SelectMany(child => Below(child.Value, path.Length == 0 ? child.Key : $"{path}/{child.Key}"))];
    }

    public static string Digest(Dictionary<string, byte[]?> tree)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (path, content) in tree.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"{path}\0{content?.Length ?? -1}\0"));
            hash.AppendData(content ?? []);
        }
        return Convert.ToHexString(hash.GetHashAndReset());
    }
}

namespace Pawl.Tests.Storage;

/// <summary>Opens, with the real store, every state in which a loss of power during recorded operations may leave the disk.</summary>
static class CrashSearch
{
    /// <param name="ops">What was recorded.</param>
    /// <param name="disk">As it was before.</param>
    /// <param name="states">Where states are laid out.</param>
    /// <param name="stopAtFirst">One violation is enough.</param>
    /// <param name="broken">What is broken in a state, given what was acknowledged by then; null when nothing is.</param>
    /// <param name="most">How many states to draw behind an operation when there are more.</param>
    public static async Task<(long Combinations, int Distinct, List<string> Violations)> Run(List<DiskOp> ops, DiskModel disk, StoreDirectory states, bool stopAtFirst, Func<HashSet<string>, Task<string?>> broken, int most = 1000)
    {
        HashSet<string> acknowledged = [], seen = [], all = [];
        List<string> violations = [];
        var combinations = 0L;
        foreach (var op in ops)
        {
            if (op.Call == "ack")
            {
                acknowledged.Add(op.Path);
                // What was legal before the answer may not be so behind it.
                seen.Clear();
            }
            else disk.Apply(op);
            if (op is { Call: "rename", Path: ".checkpoints/etl_2" }) acknowledged.Add("deleting");
            foreach (var state in disk.States(most))
            {
                combinations++;
                var digest = DiskModel.Digest(state);
                all.Add(digest);
                if (!seen.Add(digest)) continue;
                await LayOut(state, states);
                if (await broken(acknowledged) is not { } violation) continue;
                violations.Add($"behind {op.Call} {op.Path}, acknowledged {string.Join(' ', acknowledged)}: {violation}; on disk: {string.Join(", ", state.Select(file => $"{file.Key}({file.Value?.Length})"))}");
                if (stopAtFirst) return (combinations, all.Count, violations);
            }
        }
        return (combinations, all.Count, violations);
    }

    static async Task LayOut(Dictionary<string, byte[]?> state, StoreDirectory states)
    {
        var parent = Path.GetDirectoryName(states.Root)!;
        if (Directory.Exists(parent)) Directory.Delete(parent, recursive: true);
        Directory.CreateDirectory(parent);
        foreach (var (path, content) in state.OrderBy(file => file.Key, StringComparer.Ordinal))
        {
            if (content is null) Directory.CreateDirectory(Path.Join(parent, path));
            else await File.WriteAllBytesAsync(Path.Join(parent, path), content, TestContext.Current.CancellationToken);
        }
    }
}

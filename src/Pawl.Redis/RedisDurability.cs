using Pawl.Storage;
using StackExchange.Redis;

namespace Pawl.Redis;

/// <summary>What the server promises of an acknowledged commit, as its settings say at this moment.</summary>
static class RedisDurability
{
    public static async Task<(DurabilityClass Class, string? Remark)> ReadAsync(IServer server)
    {
        var settings = new Dictionary<string, string>();
        try
        {
            foreach (var name in (string[])["appendonly", "appendfsync", "no-appendfsync-on-rewrite", "maxmemory", "maxmemory-policy"])
                if ((string[]?)await server.ExecuteAsync("CONFIG", "GET", name) is [_, var value]) settings[name] = value;
        }
        catch (RedisServerException)
        {
            // Refused, as managed servers do: not known is not durable.
        }
        if (!settings.TryGetValue("appendonly", out var log) || !settings.TryGetValue("appendfsync", out var flush))
            return (DurabilityClass.Process, "the server does not tell whether it flushes what it acknowledges (CONFIG GET is refused)");
        // Whatever is flushed: such a server throws keys away when it is full.
        if (settings.GetValueOrDefault("maxmemory", "0") != "0" && settings.GetValueOrDefault("maxmemory-policy", "").StartsWith("allkeys", StringComparison.Ordinal))
            return (DurabilityClass.None, $"maxmemory-policy = {settings["maxmemory-policy"]} removes checkpoints when the server's memory is full; noeviction refuses new ones instead");
        if (log != "yes") return (DurabilityClass.None, "appendonly = no keeps acknowledged checkpoints in the server's memory alone");
        if (flush == "everysec") return (DurabilityClass.Process, "appendfsync = everysec may lose what was acknowledged in the last two seconds when the server or its machine dies");
        if (flush != "always") return (DurabilityClass.Process, $"appendfsync = {flush} leaves acknowledged checkpoints in the memory of the server's machine");
        if (settings.GetValueOrDefault("no-appendfsync-on-rewrite") == "yes") return (DurabilityClass.Process, "no-appendfsync-on-rewrite = yes does not flush while the server rewrites its log");
        return (DurabilityClass.Power, null);
    }
}

using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Pawl.Postgres;
using Pawl.Redis;
using Pawl.Storage;
using Pawl.Yaml;

namespace Pawl.Cli.Input;

/// <summary>Which store, by option, environment or default.</summary>
/// <param name="Uri">As the caller wrote it.</param>
/// <param name="Root">The folder of a file store, whole; null for another kind.</param>
/// <param name="Settings">What the configuration file says.</param>
sealed record StoreChoice(string Uri, string? Root, Configuration Settings)
{
    const string Default = "file:.checkpoints";

    public static StoreChoice Of(string? option, Caller caller, Configuration settings)
    {
        var uri = NotEmpty(option) ?? NotEmpty(caller.Variable("PAWL_STORE")) ?? (NotEmpty(caller.Variable("CHECKPOINT_DIR")) is { } folder ? $"file:{folder}" : settings.Store ?? Default);
        return new StoreChoice(uri, uri.StartsWith("file:", StringComparison.Ordinal) && uri.Length > 5 ? caller.FullPath(uri[5..]) : null, settings);
    }

    /// <summary>What a pasted command needs to find the same store.</summary>
    public string[] AsOption => Uri == (Settings.Store ?? Default) ? [] : ["--store", Uri];

    /// <summary>CHECKPOINT_ENABLED=false switches checkpoints off without a change to anything else.</summary>
    public static bool IsEnabled(Caller caller) => caller.Variable("CHECKPOINT_ENABLED")?.Trim().ToLowerInvariant() is not ("false" or "0" or "no" or "off");

    public async Task<PawlClient> OpenAsync(Caller caller, bool checkpointing = true, ILoggerFactory? logging = null)
    {
        var options = new PawlOptions { Time = caller.Time, Checkpointing = checkpointing, Approvals = Settings.Approvals, Logging = logging ?? NullLoggerFactory.Instance };
        try
        {
            var client = Kind switch
            {
                "sqlite" => OpenSqlite(caller, options),
                "postgres" or "postgresql" => await OpenPostgresAsync(caller, options),
                "redis" or "rediss" => await OpenRedisAsync(caller, options),
                _ => PawlClient.Open(Root is null ? Uri : $"file:{Root}", options),
            };
            return caller.Variable("PAWL_CRASH_AT") is null && caller.Variable("PAWL_CRASH_TRACE") is null ? client : Obeying(client, caller, options);
        }
        catch (ArgumentException wrong)
        {
            throw new UsageException(wrong.Message);
        }
    }

    // For 'pawl prove', which kills this process with it. Methods of their own, so that a plain call with files loads no assembly but the core's.
    static PawlClient Obeying(PawlClient client, Caller caller, PawlOptions options) => new(Testing.CrashOrder.Obey(client.Store, caller.Variable), options);

    PawlClient OpenSqlite(Caller caller, PawlOptions options) =>
        new(SqliteStore.Open(caller.FullPath(Uri["sqlite:".Length..]), new SqliteStoreOptions { Time = caller.Time }), options);

    async Task<PawlClient> OpenPostgresAsync(Caller caller, PawlOptions options) =>
        new(await PostgresStore.OpenAsync(Uri, new PostgresStoreOptions { Time = caller.Time }, caller.Stop), options);

    async Task<PawlClient> OpenRedisAsync(Caller caller, PawlOptions options) =>
        new(await RedisStore.OpenAsync(Uri, new RedisStoreOptions { Time = caller.Time }, caller.Stop), options);

    public string Kind => Uri.IndexOf(':', StringComparison.Ordinal) is > 0 and var colon ? Uri[..colon] : Uri;

    static string? NotEmpty(string? text) => string.IsNullOrWhiteSpace(text) ? null : text;
}

using System.Security.Cryptography;
using System.Text;
using StackExchange.Redis;

namespace Pawl.Redis;

/// <summary>A script of <c>Scripts/</c>. It is sent by its hash; a server that does not know it, because it was started again, is sent the text.</summary>
sealed class RedisScript
{
    public static readonly RedisScript Create = new("create"), Claim = new("claim"), Renew = new("renew"), Bury = new("bury"), Commit = new("commit"), Post = new("post"), Delete = new("delete"),
        Find = new("find"), Read = new("read"), List = new("list"), Take = new("take");

    readonly string _text;
    readonly byte[] _hash;

    RedisScript(string name)
    {
        _text = Part("common") + Part(name);
#pragma warning disable CA5350 // Redis names scripts so. Nothing is protected by it.
        _hash = SHA1.HashData(Encoding.UTF8.GetBytes(_text));
#pragma warning restore CA5350
    }

    static string Part(string name)
    {
        using var reader = new StreamReader(typeof(RedisScript).Assembly.GetManifestResourceStream(name + ".lua")!, Encoding.UTF8);
        return reader.ReadToEnd();
    }

    /// <summary>One round trip.</summary>
    /// <exception cref="IOException">No answer, or a refusal. What was sent may be sent again.</exception>
    public async Task<RedisResult> ExecuteAsync(IDatabase database, RedisKey[] keys, RedisValue[] values)
    {
        try
        {
            return await database.ScriptEvaluateAsync(_hash, keys, values, CommandFlags.DemandMaster);
        }
        catch (RedisServerException unknown) when (unknown.Message.StartsWith("NOSCRIPT", StringComparison.Ordinal))
        {
            // Nothing of it was executed.
            object[] whole = [_text, keys.Length, .. keys, .. values];
            return await RedisErrors.KnownAsync(database.ExecuteAsync("EVAL", whole, CommandFlags.DemandMaster));
        }
        catch (Exception error) when (RedisErrors.Is(error))
        {
            throw RedisErrors.Describe(error);
        }
    }
}

/// <summary>The client's errors as <see cref="IOException"/>, in words.</summary>
static class RedisErrors
{
    public static bool Is(Exception error) => error is RedisException or RedisTimeoutException or RedisCommandException;

    /// <param name="error">The client's error.</param>
    /// <param name="server">Which server it is, when it is met for the first time.</param>
    public static IOException Describe(Exception error, string? server = null) => new(error switch
    {
        RedisConnectionException when IsOfTls(error) => "Redis: the server's certificate is not trusted. Name its issuer's with 'cacert=FILE' in the URI.",
        RedisConnectionException { FailureType: ConnectionFailureType.AuthenticationFailure } => "Redis: the server refuses the user or the password.",
        RedisConnectionException lost when server is not null => $"Redis: the server of {server} cannot be reached ({lost.FailureType}). Is it running, and is this its address?",
        RedisConnectionException lost => $"Redis: the server cannot be reached ({lost.FailureType}).",
        RedisTimeoutException => "Redis: the server does not answer in time.",
        _ => $"Redis: {error.Message.TrimEnd('.')}.",
    }, error);

    static bool IsOfTls(Exception? error) => error is System.Security.Authentication.AuthenticationException || (error is not null && IsOfTls(error.InnerException));

    public static async Task<T> KnownAsync<T>(Task<T> work, string? server = null)
    {
        try { return await work; }
        catch (Exception error) when (Is(error)) { throw Describe(error, server); }
    }
}

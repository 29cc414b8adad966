using System.Globalization;
using System.Net;
using StackExchange.Redis;

namespace Pawl.Redis;

/// <summary><c>redis://USER:PASSWORD@HOST:PORT/DATABASE?prefix=NAME</c>; <c>rediss</c> speaks TLS.</summary>
static class RedisUri
{
    const string Form = "Write redis://USER:PASSWORD@HOST:PORT/DATABASE?prefix=NAME, with %40 for an @, %2F for a / in a part; rediss:// for TLS.";

    /// <summary>The client's settings, the prefix when the URI names one, and the file with the certificate that is trusted.</summary>
    /// <exception cref="ArgumentException">It cannot be read. The message shows nothing of it but names of parameters.</exception>
    public static (ConfigurationOptions Settings, int Database, string? Prefix, string? Certificate) Parse(string text)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri.Scheme is not ("redis" or "rediss") || uri.Host.Length == 0 || uri.Fragment.Length > 0)
            throw new ArgumentException($"The Redis URI cannot be read. {Form}");
        var database = 0;
        if (uri.AbsolutePath.Length > 1 && !int.TryParse(uri.AbsolutePath[1..], NumberStyles.None, CultureInfo.InvariantCulture, out database))
            throw new ArgumentException($"The Redis URI names no database: it is a number. {Form}");
        var host = uri.Host.Trim('[', ']');
        var settings = new ConfigurationOptions
        {
            EndPoints = { { host, uri.Port > 0 ? uri.Port : 6379 } },
            ClientName = "pawl",
            Ssl = uri.Scheme == "rediss",
            SslHost = uri.Scheme == "rediss" ? host : null,
            AbortOnConnectFail = true,
            ConnectRetry = 1,
            // A command waits so long for a lost connection to come back, then it is an error; the connection goes on trying.
            AsyncTimeout = 10_000,
            ReconnectRetryPolicy = new LinearRetry(500),
        };
        var user = uri.UserInfo.Split(':', 2);
        if (user[0].Length > 0) settings.User = Uri.UnescapeDataString(user[0]);
        if (user.Length > 1) settings.Password = Uri.UnescapeDataString(user[1]);
        string? prefix = null, certificate = null;
        foreach (var pair in uri.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var (name, value) = (Uri.UnescapeDataString(pair.Split('=')[0]), Uri.UnescapeDataString(pair.Split('=', 2).ElementAtOrDefault(1) ?? ""));
            if (name == "prefix") prefix = value;
            else if (name == "cacert" && settings.Ssl) Trust(settings, certificate = value);
            else throw new ArgumentException($"The Redis URI's parameter '{name}' is unknown: 'prefix', and with rediss:// 'cacert', are.");
        }
        return (settings, database, prefix, certificate);
    }

    static void Trust(ConfigurationOptions settings, string file)
    {
        try { settings.TrustIssuer(file); }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or System.Security.Cryptography.CryptographicException)
        {
            throw new ArgumentException($"The certificate that 'cacert' of the Redis URI names cannot be read: {error.Message}", error);
        }
    }

    /// <summary>How to open it again, without the password.</summary>
    public static string Describe(ConfigurationOptions settings, RedisStoreOptions options, string? certificate)
    {
        var (host, port) = settings.EndPoints[0] switch
        {
            DnsEndPoint named => (named.Host, named.Port),
            IPEndPoint numbered => (numbered.Address.ToString(), numbered.Port),
            _ => ("localhost", 6379),
        };
        var user = string.IsNullOrEmpty(settings.User) ? "" : Uri.EscapeDataString(settings.User) + "@";
        string[] tail = [.. options.Prefix == "pawl" ? [] : (string[])[$"prefix={options.Prefix}"], .. certificate is null ? [] : (string[])[$"cacert={Uri.EscapeDataString(certificate)}"]];
        return string.Create(CultureInfo.InvariantCulture,
            $"{(settings.Ssl ? "rediss" : "redis")}://{user}{(host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host)}:{port}/{options.Database}{(tail.Length > 0 ? "?" : "")}{string.Join('&', tail)}");
    }
}

using Npgsql;

namespace Pawl.Postgres;

/// <summary><c>postgres://user:password@host:port/database?key=value</c> and Npgsql's own form, told apart by the scheme. Several hosts, with commas between them, are
/// servers of which one is the primary.</summary>
static class PostgresUri
{
    // Parameters as PostgreSQL's own programs name them; any other is Npgsql's, by its name.
    static readonly Dictionary<string, string> s_names = new(StringComparer.OrdinalIgnoreCase)
    {
        ["host"] = "Host", ["port"] = "Port", ["dbname"] = "Database", ["user"] = "Username", ["password"] = "Password", ["connect_timeout"] = "Timeout", ["sslmode"] = "SSL Mode",
        ["sslcert"] = "SSL Certificate", ["sslkey"] = "SSL Key", ["sslrootcert"] = "Root Certificate", ["application_name"] = "Application Name", ["options"] = "Options",
    };

    /// <summary>Npgsql's connection string, and the schema when the URI names one (<c>?schema=</c>).</summary>
    /// <exception cref="ArgumentException">It cannot be read. The message shows nothing of it but names of parameters.</exception>
    public static (string ConnectionString, string? Schema) Parse(string text)
    {
        if (!IsUri(text)) return (Settings(() => new NpgsqlConnectionStringBuilder(text)).ConnectionString, null);
        // Where several hosts stand, a Uri can have but one.
        var (from, to) = Hosts(text);
        var hosts = text[from..to];
        if (!hosts.Contains(',', StringComparison.Ordinal)) hosts = "";
        if (!Uri.TryCreate(hosts.Length > 0 ? $"{text[..from]}hosts{text[to..]}" : text, UriKind.Absolute, out var uri))
            throw new ArgumentException("The PostgreSQL URI cannot be read. Write postgres://USER:PASSWORD@HOST:PORT/DATABASE, with %40 for an @, %2F for a / in a part.");
        var builder = new NpgsqlConnectionStringBuilder();
        string? schema = null;
        var user = uri.UserInfo.Split(':', 2);
        if (hosts.Length > 0) builder.Host = hosts;
        else if (uri.Host.Length > 0) builder.Host = uri.Host.Trim('[', ']');
        if (uri.Port > 0) builder.Port = uri.Port;
        if (user[0].Length > 0) builder.Username = Uri.UnescapeDataString(user[0]);
        if (user.Length > 1) builder.Password = Uri.UnescapeDataString(user[1]);
        if (uri.AbsolutePath.Length > 1) builder.Database = Uri.UnescapeDataString(uri.AbsolutePath[1..]);
        foreach (var pair in uri.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var (name, value) = (Uri.UnescapeDataString(pair.Split('=')[0]), Uri.UnescapeDataString(pair.Split('=', 2).ElementAtOrDefault(1) ?? ""));
            if (name == "schema") schema = value;
            else Settings(() => { builder[s_names.GetValueOrDefault(name, name)] = name == "sslmode" ? value.Replace("-", "", StringComparison.Ordinal) : value; return builder; }, name);
        }
        return (builder.ConnectionString, schema);
    }

    static (int From, int To) Hosts(string text)
    {
        var start = text.IndexOf("://", StringComparison.Ordinal) + 3;
        var end = text.AsSpan(start).IndexOfAny('/', '?') is >= 0 and var length ? start + length : text.Length;
        return (start + text.AsSpan(start, end - start).LastIndexOf('@') + 1, end);
    }

    /// <summary>Connections to the server, or to whichever of several is the primary at the time.</summary>
    public static NpgsqlDataSource Source(string connectionString)
    {
        var builder = new NpgsqlDataSourceBuilder(connectionString);
        return builder.ConnectionStringBuilder.Host?.Contains(',', StringComparison.Ordinal) == true ? builder.BuildMultiHost().WithTargetSession(TargetSessionAttributes.Primary) : builder.Build();
    }

    static bool IsUri(string text) => text.StartsWith("postgres://", StringComparison.OrdinalIgnoreCase) || text.StartsWith("postgresql://", StringComparison.OrdinalIgnoreCase);

    // The driver's own errors may quote the value.
    static NpgsqlConnectionStringBuilder Settings(Func<NpgsqlConnectionStringBuilder> set, string? name = null)
    {
        try { return set(); }
        catch (Exception e) when (e is ArgumentException or FormatException or InvalidCastException or OverflowException or KeyNotFoundException)
        {
            throw new ArgumentException(name is null ? "The PostgreSQL connection string cannot be read." : $"The PostgreSQL URI's parameter '{name}' is unknown, or its value is not allowed.");
        }
    }

    /// <summary>How to open it again, without the password.</summary>
    public static string Describe(string connectionString, string schema)
    {
        var builder = new NpgsqlConnectionStringBuilder(connectionString);
        var (host, user) = (builder.Host ?? "localhost", Uri.EscapeDataString(builder.Username ?? ""));
        var database = Uri.EscapeDataString(builder.Database ?? builder.Username ?? "");
        var tail = schema == "public" ? "" : $"schema={schema}";
        if (host.Contains(',', StringComparison.Ordinal)) return $"postgres://{(user.Length > 0 ? user + "@" : "")}{host}/{database}{(tail.Length > 0 ? "?" + tail : "")}";
        // A socket's directory cannot stand where a host stands.
        if (host.StartsWith('/')) return $"postgres:///{database}?host={Uri.EscapeDataString(host)}&port={builder.Port}&user={user}{(tail.Length > 0 ? "&" + tail : "")}";
        return $"postgres://{(user.Length > 0 ? user + "@" : "")}{(host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host)}:{builder.Port}/{database}{(tail.Length > 0 ? "?" + tail : "")}";
    }
}

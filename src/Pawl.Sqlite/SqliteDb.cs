using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Pawl.Storage;

/// <summary>SQLite refused a call.</summary>
sealed class SqliteCallException(string path, int code, string message)
    : IOException($"SQLite could not use '{path}': {message} (code {code}).{Hint(code & 0xff)}", code)
{
    /// <summary>What is in the file cannot be true.</summary>
    public bool IsDamage { get; } = (code & 0xff) is raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB;

    public bool IsBusy { get; } = (code & 0xff) is raw.SQLITE_BUSY or raw.SQLITE_LOCKED;

    static string Hint(int code) => code switch
    {
        raw.SQLITE_BUSY or raw.SQLITE_LOCKED => " Another process keeps the database locked: end its transaction, then try again.",
        raw.SQLITE_FULL => " The disk is full: free some space, then resume.",
        raw.SQLITE_READONLY or raw.SQLITE_PERM or raw.SQLITE_CANTOPEN => " Check the owner and the mode of the file and its directory, and whether the file system is mounted read-only.",
        raw.SQLITE_IOERR => " The disk reported an error; see the kernel's log. Nothing was acknowledged.",
        raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB => " The file is damaged or no database: restore it from a backup; the command 'sqlite3 FILE .recover' saves what can be read.",
        _ => "",
    };
}

/// <summary>A connection with its prepared statements. For one thread at a time.</summary>
sealed class SqliteDb : IDisposable
{
    /// <summary>Pages in the log before it is brought into the tables.</summary>
    public const int LogFrames = 4000;

    readonly SqliteConnection _connection;
    readonly sqlite3 _handle;
    readonly string _path;
    readonly Dictionary<string, sqlite3_stmt> _statements = [];
    readonly bool _isBorrowed;

    public SqliteTips Tips { get; } = new();

    /// <summary>Over a connection of the user's, which stays as it is, and the user's.</summary>
    public SqliteDb(SqliteConnection connection, string path) => (_connection, _handle, _path, _isBorrowed) = (connection, connection.Handle!, path, true);

    public SqliteDb(string path, TimeSpan busyTimeout)
    {
        _path = path;
        _connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Mode = SqliteOpenMode.ReadWrite, Pooling = false }.ToString());
        try
        {
            _connection.Open();
        }
        catch (SqliteException e)
        {
            _connection.Dispose();
            throw new SqliteCallException(path, e.SqliteExtendedErrorCode, e.Message);
        }
        _handle = _connection.Handle!;
        try
        {
            Prepare(busyTimeout);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Sets what durability rests on, and reads it back: SQLite ignores what it does not know or cannot do.</summary>
    void Prepare(TimeSpan busyTimeout)
    {
        raw.sqlite3_busy_timeout(_handle, (int)busyTimeout.TotalMilliseconds);
        Expect("encoding", "UTF-8");
        Expect("journal_mode", "wal", "WAL");
        // NORMAL flushes the log at checkpoints only: a loss of power would take acknowledged commits.
        Expect("synchronous", "2", "FULL");
        Expect("foreign_keys", "1", "ON");
        // A log of 16 MB before it is brought into the tables: pages that many commits change are written there once.
        Expect("wal_autocheckpoint", $"{LogFrames}", $"{LogFrames}");
        // On Apple's systems a plain flush stops in the disk's cache.
        Expect("fullfsync", "1", "ON");
        Expect("checkpoint_fullfsync", "1", "ON");
    }

    /// <summary>The database's file, as SQLite names it.</summary>
    public string File
    {
        get
        {
            using var rows = Query("PRAGMA database_list");
            return rows.Read() ? rows.Text(2) ?? "" : "";
        }
    }

    /// <summary>A transaction of the driver's, which takes the writer's place at once.</summary>
    public SqliteTransaction Begin()
    {
        try { return _connection.BeginTransaction(deferred: false); }
        catch (SqliteException e) { throw new SqliteCallException(_path, e.SqliteExtendedErrorCode, e.Message); }
    }

    void Expect(string pragma, string wanted, string? set = null)
    {
        if (set is not null) Pragma($"{pragma} = {set}");
        if (Pragma(pragma) is var got && got != wanted)
            throw new IOException($"'{_path}' cannot be a store: SQLite's {pragma} is {got} and must be {wanted}. Use a file of its own on a local disk.");
    }

    /// <summary>The first column of a pragma's row.</summary>
    public string Pragma(string pragma)
    {
        using var rows = Query($"PRAGMA {pragma}");
        return rows.Read() ? rows.Text(0) ?? "" : "";
    }

    /// <summary>Runs a statement to its end.</summary>
    /// <returns>How many rows it changed.</returns>
    public int Run(string sql, params ReadOnlySpan<SqlValue> values)
    {
        var statement = Bound(sql, values);
        try
        {
            int code;
            while ((code = raw.sqlite3_step(statement)) == raw.SQLITE_ROW) { }
            return code == raw.SQLITE_DONE ? raw.sqlite3_changes(_handle) : throw Fail();
        }
        finally
        {
            raw.sqlite3_reset(statement);
        }
    }

    /// <summary>Runs a statement that answers with the key of the one row it changed.</summary>
    /// <returns>0 when it changed none.</returns>
    public long Key(string sql, params ReadOnlySpan<SqlValue> values)
    {
        using var rows = Query(sql, values);
        // All of the change is made before the first row is answered.
        return rows.Read() ? rows.Number(0) : 0;
    }

    /// <summary>Runs statements that are used once.</summary>
    public void Script(string sql)
    {
        if (raw.sqlite3_exec(_handle, sql) != raw.SQLITE_OK) throw Fail();
    }

    /// <summary>The rows of a query. To be disposed before the same query is made again.</summary>
    public SqlRows Query(string sql, params ReadOnlySpan<SqlValue> values) => new(this, Bound(sql, values));

    sqlite3_stmt Bound(string sql, ReadOnlySpan<SqlValue> values)
    {
        if (!_statements.TryGetValue(sql, out var statement))
        {
            if (raw.sqlite3_prepare_v2(_handle, sql, out statement) != raw.SQLITE_OK) throw Fail();
            _statements.Add(sql, statement);
        }
        for (var i = 0; i < values.Length; i++)
            if (values[i].Bind(statement, i + 1) != raw.SQLITE_OK) throw Fail();
        return statement;
    }

    /// <summary>Undoes what the open transaction did; SQLite itself may have done so.</summary>
    public void Rollback()
    {
        Tips.Forget();
        if (raw.sqlite3_get_autocommit(_handle) == 0) Script("ROLLBACK");
    }

    public SqliteCallException Fail() => new(_path, raw.sqlite3_extended_errcode(_handle), raw.sqlite3_errmsg(_handle).utf8_to_string());

    public void Dispose()
    {
        foreach (var statement in _statements.Values) statement.Dispose();
        if (!_isBorrowed) _connection.Dispose();
    }
}

/// <summary>A value for a statement's next place.</summary>
readonly struct SqlValue
{
    readonly string? _text;
    readonly ReadOnlyMemory<byte> _bytes;
    readonly long _number;
    readonly Kind _kind;

    enum Kind { Null, Number, Text, Utf8, Blob }

    SqlValue(Kind kind, string? text = null, long number = 0, ReadOnlyMemory<byte> bytes = default) => (_kind, _text, _number, _bytes) = (kind, text, number, bytes);

    public static implicit operator SqlValue(string? text) => new(text is null ? Kind.Null : Kind.Text, text);
    public static implicit operator SqlValue(long number) => new(Kind.Number, number: number);
    public static implicit operator SqlValue(bool value) => new(Kind.Number, number: value ? 1 : 0);
    public static implicit operator SqlValue(DateTimeOffset? time) => time?.UtcDateTime.ToString("O");
    public static SqlValue Text(ReadOnlyMemory<byte> utf8) => new(Kind.Utf8, bytes: utf8);
    public static SqlValue Blob(ReadOnlyMemory<byte> bytes) => new(Kind.Blob, bytes: bytes);

    public int Bind(sqlite3_stmt statement, int place) => _kind switch
    {
        Kind.Null => raw.sqlite3_bind_null(statement, place),
        Kind.Number => raw.sqlite3_bind_int64(statement, place, _number),
        Kind.Text => raw.sqlite3_bind_text(statement, place, _text!),
        Kind.Utf8 => raw.sqlite3_bind_text(statement, place, _bytes.Span),
        _ => _bytes.IsEmpty ? raw.sqlite3_bind_zeroblob(statement, place, 0) : raw.sqlite3_bind_blob(statement, place, _bytes.Span),
    };
}

/// <summary>Rows of a query, one at a time.</summary>
readonly ref struct SqlRows(SqliteDb db, sqlite3_stmt statement)
{
    public bool Read() => raw.sqlite3_step(statement) switch
    {
        raw.SQLITE_ROW => true,
        raw.SQLITE_DONE => false,
        _ => throw db.Fail(),
    };

    public bool IsNull(int column) => raw.sqlite3_column_type(statement, column) == raw.SQLITE_NULL;
    public long Number(int column) => raw.sqlite3_column_int64(statement, column);
    public string? Text(int column) => IsNull(column) ? null : raw.sqlite3_column_text(statement, column).utf8_to_string();
    public byte[] Bytes(int column) => raw.sqlite3_column_blob(statement, column).ToArray();
    public DateTimeOffset? Time(int column) => Text(column) is { } text ? DateTimeOffset.Parse(text, System.Globalization.CultureInfo.InvariantCulture, System.Globalization.DateTimeStyles.RoundtripKind) : null;
    public void Dispose() => raw.sqlite3_reset(statement);
}

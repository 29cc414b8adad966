using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Pawl.Storage;

/// <summary>Finds SQLite itself: what the application brings, else the machine's own.</summary>
static class SqliteLibrary
{
    // Generated columns, RETURNING, row values, and upserts are the newest that the statements use.
    const int Oldest = 3_035_000;

    static readonly string[] s_names = ["e_sqlite3", OperatingSystem.IsWindows() ? "winsqlite3" : OperatingSystem.IsMacOS() ? "libsqlite3.dylib" : "libsqlite3.so.0"];
    static readonly Lazy<string?> s_problem = new(Load);

    /// <exception cref="DllNotFoundException">There is none, or one that is too old.</exception>
    public static void Ensure()
    {
        if (s_problem.Value is { } problem) throw new DllNotFoundException(problem);
    }

    static string? Load()
    {
        // The driver's initialiser takes a bundle that the application brings: then the choice is made.
        RuntimeHelpers.RunClassConstructor(typeof(SqliteConnection).TypeHandle);
        if (!HasProvider())
        {
            var assembly = typeof(SQLite3Provider_e_sqlite3).Assembly;
            var library = s_names.Select(name => NativeLibrary.TryLoad(name, assembly, null, out var handle) ? handle : 0).FirstOrDefault(handle => handle != 0);
            if (library == 0)
                return "There is no SQLite on this machine. Install it (Debian, Ubuntu: apt-get install libsqlite3-0; Fedora: dnf install sqlite-libs; Alpine: apk add sqlite-libs), or add the package SQLitePCLRaw.bundle_e_sqlite3 to the application.";
            NativeLibrary.SetDllImportResolver(assembly, (name, _, _) => name == "e_sqlite3" ? library : 0);
            raw.SetProvider(new SQLite3Provider_e_sqlite3());
        }
        return raw.sqlite3_libversion_number() >= Oldest ? null
            : $"SQLite {raw.sqlite3_libversion().utf8_to_string()} is too old: 3.35 or newer is needed. Add the package SQLitePCLRaw.bundle_e_sqlite3 to the application, or update the system's library.";
    }

    static bool HasProvider()
    {
        try
        {
            return raw.GetNativeLibraryName() is not null;
        }
        catch (Exception e) when (e.GetType() == typeof(Exception))
        {
            return false;
        }
    }
}

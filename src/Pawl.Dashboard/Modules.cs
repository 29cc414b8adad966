using System.Text;
using System.Text.RegularExpressions;

namespace Pawl.Dashboard;

/// <summary>Joins a module of the page with those that it imports: the first page is there after one request for them instead of five.</summary>
/// <remarks>It knows what our modules are written in: an import of names from a file beside it, and an export in front of a declaration or, as packages have it, in one list at the end.</remarks>
static partial class Modules
{
    /// <param name="entry">The module that the page begins with.</param>
    /// <param name="read">The text of a module.</param>
    /// <returns>The entry, with everything in it; and for each module within it what stands in its place for those that import it later.</returns>
    public static Dictionary<string, string> Join(string entry, Func<string, string> read)
    {
        var joined = new StringBuilder("export const modules = {};\n");
        var files = new Dictionary<string, string> { [entry] = "" };
        Add(entry);
        files[entry] = joined.ToString();
        return files;

        void Add(string name)
        {
            var names = new List<string>();
            var text = Import().Replace(read(name), import =>
            {
                var from = import.Groups["file"].Value;
                if (files.TryAdd(from, "")) Add(from);
                return $"const {import.Groups["names"].Value} = modules['{from}'];";
            });
            text = Export().Replace(text, export =>
            {
                names.Add(export.Groups["name"].Value);
                return export.Groups["declaration"].Value;
            });
            text = ExportList().Replace(text, list =>
            {
                names.AddRange(list.Groups["names"].Value.Split(',').Select(one => one.Split(" as ") is [var own, var other] ? $"{other}: {own}" : one));
                return "";
            });
            joined.Append($"modules['{name}'] = (() => {{\n{text}\nreturn {{ {string.Join(", ", names)} }};\n}})();\n");
            var known = string.Join(", ", names.Select(one => one.Split(':')[0]));
            files[name] = $"import {{ modules }} from '{string.Concat(Enumerable.Repeat("../", name.Count(letter => letter == '/')))}./{entry}';\nexport const {{ {known} }} = modules['{name}'];\n";
        }
    }

    [GeneratedRegex(@"^import (?<names>\{.+\}) from '\./(?<file>.+)';", RegexOptions.Multiline)]
    private static partial Regex Import();

    [GeneratedRegex(@"^export (?<declaration>(async )?(const|function|class) (?<name>\w+))", RegexOptions.Multiline)]
    private static partial Regex Export();

    [GeneratedRegex(@"export ?\{(?<names>[^}]+)\};?\s*$")]
    private static partial Regex ExportList();
}

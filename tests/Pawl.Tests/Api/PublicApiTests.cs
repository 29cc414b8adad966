using System.Reflection;
using System.Text;

namespace Pawl.Tests.Api;

/// <summary>The public API is frozen in text files that a review can read. A wanted change is made by copying the received file over the approved one.</summary>
public sealed class PublicApiTests
{
    const BindingFlags Declared = BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly | BindingFlags.NonPublic;

    [Theory]
    [InlineData("Pawl")]
    [InlineData("Pawl.Agents")]
    [InlineData("Pawl.Yaml")]
    [InlineData("Pawl.Sqlite")]
    [InlineData("Pawl.Testing")]
    [InlineData("Pawl.Postgres")]
    [InlineData("Pawl.Redis")]
    [InlineData("Pawl.Dashboard")]
    public void The_public_api_is_the_approved_one(string name)
    {
        var folder = Path.Combine(Docs.Repository.Root, "tests", "Pawl.Tests", "Api");
        var approved = Path.Combine(folder, $"{name}.approved.txt");
        var received = Describe(Assembly.Load(name));
        var expected = File.Exists(approved) ? File.ReadAllText(approved) : "";
        if (received == expected) return;
        File.WriteAllText(Path.Combine(folder, $"{name}.received.txt"), received);
        var (before, after) = (expected.Split('\n'), received.Split('\n'));
        Assert.Fail($"The public API of {name} changed. If that is meant: mv tests/Pawl.Tests/Api/{name}.received.txt tests/Pawl.Tests/Api/{name}.approved.txt\n"
            + string.Join('\n', before.Except(after).Select(line => "- " + line).Concat(after.Except(before).Select(line => "+ " + line)).Take(40)));
    }

    static string Describe(Assembly assembly)
    {
        var text = new StringBuilder();
        foreach (var type in assembly.GetExportedTypes().OrderBy(type => type.FullName, StringComparer.Ordinal))
        {
            var kind = type.IsEnum ? "enum" : type.IsInterface ? "interface" : type.IsValueType ? "struct" : type.IsAbstract && type.IsSealed ? "static class" : type.IsAbstract ? "abstract class" : type.IsSealed ? "sealed class" : "class";
            text.Append(kind).Append(' ').Append(Name(type)).Append(type.BaseType is { } up && up != typeof(object) && up != typeof(ValueType) && up != typeof(Enum) ? $" : {Name(up)}" : "").Append('\n');
            foreach (var line in type.GetMembers(Declared).Select(Line).OfType<string>().Order(StringComparer.Ordinal)) text.Append("  ").Append(line).Append('\n');
        }
        return text.ToString();
    }

    static string? Line(MemberInfo member) => member switch
    {
        FieldInfo { IsSpecialName: false } field when field.IsPublic || field.IsFamily => $"{(field.IsLiteral ? "const" : "field")} {field.Name} : {Name(field.FieldType)}{(field.IsLiteral ? $" = {field.GetRawConstantValue()}" : "")}",
        ConstructorInfo constructor when constructor.IsPublic || constructor.IsFamily => $"new({Parameters(constructor)})",
        PropertyInfo property when property.GetMethod is { } get && (get.IsPublic || get.IsFamily) => $"{property.Name} : {Name(property.PropertyType)} {{ get;{(property.SetMethod is { IsPublic: true } set ? set.ReturnParameter.GetRequiredCustomModifiers().Length > 0 ? " init;" : " set;" : "")} }}",
        // What the compiler adds to every record says nothing.
        MethodInfo { IsSpecialName: false } method when (method.IsPublic || method.IsFamily) && method.Name is not ("ToString" or "GetHashCode" or "Equals" or "Deconstruct" or "PrintMembers") && !method.Name.Contains('<') =>
            $"{(method.IsStatic ? "static " : "")}{method.Name}{(method.IsGenericMethod ? $"<{string.Join(", ", method.GetGenericArguments().Select(Name))}>" : "")}({Parameters(method)}) : {Name(method.ReturnType)}",
        _ => null,
    };

    static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(parameter => $"{Name(parameter.ParameterType)} {parameter.Name}{(parameter.HasDefaultValue ? " = default" : "")}"));

    static string Name(Type type)
    {
        if (type.IsGenericParameter) return type.Name;
        if (type.IsArray) return Name(type.GetElementType()!) + "[]";
        var name = type.IsNested ? $"{Name(type.DeclaringType!)}.{type.Name}" : type.Name;
        return type.IsGenericType ? $"{name.Split('`')[0]}<{string.Join(", ", type.GetGenericArguments().Select(Name))}>" : name;
    }
}

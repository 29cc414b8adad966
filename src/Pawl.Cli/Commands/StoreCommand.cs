using System.CommandLine;
using Pawl.Cli.Input;
using Pawl.Cli.View;
using Pawl.Testing;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl store verify [URI]</c>: checks the laws of stores on a real one.</summary>
static class StoreCommand
{
    public static Command Create(Cli cli) => new("store", "Check a store itself") { Verify(cli) };

    static Command Verify(Cli cli)
    {
        var uri = new Argument<string?>("URI") { Description = "The store; default: that of --store. Its own runs are not touched", Arity = ArgumentArity.ZeroOrOne };
        return Verbs.On(new Command("verify", "Check every law of stores, with runs that are removed afterwards (law_…)") { uri }, async () =>
        {
            var choice = cli.Get(uri) is { } named ? StoreChoice.Of(named, cli.Caller, cli.Configuration()) : cli.Store;
            // A store in memory has one instance; any other is opened again and again, as by several processes.
            var one = choice.Kind == "memory" ? (await choice.OpenAsync(cli.Caller)).Store : null;
            var broken = 0;
            var results = new List<(string Law, string? Reason)>();
            foreach (var law in StoreConformance.Laws)
            {
                string? reason = null;
                try { await law.Check(async () => one ?? (await choice.OpenAsync(cli.Caller)).Store, cli.Stop); }
                catch (Exception error) when (!cli.Stop.IsCancellationRequested) { reason = error.Message; }
                results.Add((law.Name, reason));
                if (reason is null) continue;
                broken++;
                cli.Say($"{cli.Ink.Bad("✗")} {law.Name}");
                cli.Say($"    {Human.Line(reason)}");
            }
            cli.Say(broken == 0 ? $"{cli.Ink.Good("✓")} {results.Count} laws hold." : $"{broken} of {results.Count} laws are broken.");
            cli.Json(w =>
            {
                w.WriteStartObject();
                w.WriteBoolean("ok", broken == 0);
                w.WriteStartArray("laws");
                foreach (var (law, reason) in results)
                {
                    w.WriteStartObject();
                    w.WriteString("law", law);
                    w.WriteString("broken", reason);
                    w.WriteEndObject();
                }
                w.WriteEndArray();
                w.WriteEndObject();
            });
            return broken == 0 ? ExitCode.Done : ExitCode.Failed;
        });
    }
}

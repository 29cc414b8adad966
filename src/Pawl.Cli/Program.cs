using Pawl.Cli;

// Before anything else is loaded: scripts ask this often.
if (args is ["--version"])
{
    Caller.OfProcess(CancellationToken.None).Out.WriteLine(Cli.Version);
    return 0;
}
#if !NATIVE
if (args is ["run" or "resume" or "rerun", ..]) Pawl.Cli.Live.WarmUp.Begin();
#endif
using var interrupts = new Interrupts(keyboard: args is not ["repl", ..]);
return Cli.RunAsync(args, Caller.OfProcess(interrupts.Token)).GetAwaiter().GetResult();

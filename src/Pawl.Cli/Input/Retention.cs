using System.Globalization;

namespace Pawl.Cli.Input;

/// <summary>How long finished runs stay: the workflow's word under the configuration's, else CHECKPOINT_RETENTION_DAYS, else 30 days.</summary>
static class Retention
{
    public static RetentionPolicy Of(Workflow? workflow, Cli cli)
    {
        if ((workflow is null ? cli.Configuration().Over(new WorkflowOptions()) : workflow.Options).Retention is { } own) return own;
        if (cli.Caller.Variable("CHECKPOINT_RETENTION_DAYS") is not { Length: > 0 } text) return new RetentionPolicy();
        return double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var days) && days <= 36500
            ? new RetentionPolicy { MaxAge = TimeSpan.FromDays(days) }
            : throw new UsageException($"CHECKPOINT_RETENTION_DAYS is '{text}': write a number of days.");
    }
}

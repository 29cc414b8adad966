using System.Globalization;

namespace Pawl.Yaml;

/// <summary>The configuration file: what holds for every run, and the models that agents name. It stands over the workflow file and under the options of a command.</summary>
internal sealed record Configuration
{
    /// <summary>Without a file: everything as the workflow says.</summary>
    public static Configuration None { get; } = new();

    /// <summary>The file, as it was named; null when there is none.</summary>
    public string? Path { get; init; }

    public int? MaxRounds { get; init; }
    public int? MaxStalls { get; init; }
    public int? MaxResets { get; init; }
    public TimeSpan? Timeout { get; init; }

    /// <summary>Whether checkpoints are kept; null leaves it to the workflow.</summary>
    public bool? Enabled { get; init; }

    /// <summary>The address of the store; null leaves it to the command.</summary>
    public string? Store { get; init; }

    public int? CleanupAfterDays { get; init; }
    public int? AutoResumeAttempts { get; init; }
    public ApprovalRules Approvals { get; init; } = new();
    public TimeSpan? ApprovalTimeout { get; init; }

    /// <summary>What a time-out of an approval means, over what its step says.</summary>
    public TimeoutAction? OnApprovalTimeout { get; init; }

    public IReadOnlyDictionary<string, ModelDefinition> Models { get; init; } = new Dictionary<string, ModelDefinition>();

    /// <summary>The one model that answers for every name, whatever the file says.</summary>
    public ModelDefinition? Everywhere { get; init; }

    /// <summary>The model that an agent names, or null.</summary>
    public ModelDefinition? FindModel(string name)
    {
        var own = Models.GetValueOrDefault(name);
        if (Everywhere is not { } one) return own;
        // Not with its own key: that is meant for its own server.
        return one with { Name = name, Model = one.Model.Length > 0 ? one.Model : own?.Model ?? name, Price = own?.Price };
    }

    /// <summary>The workflow with what the file says about every run. Steps, and so the fingerprint, stay.</summary>
    public WorkflowOptions Over(WorkflowOptions options)
    {
        return options with
        {
            Timeout = Timeout ?? options.Timeout,
            Strategy = Enabled switch { false => CheckpointStrategy.Off, true when options.Strategy == CheckpointStrategy.Off => CheckpointStrategy.EveryStep, _ => options.Strategy },
            AutoResumeAttempts = AutoResumeAttempts ?? options.AutoResumeAttempts,
            Retention = CleanupAfterDays is { } days ? (options.Retention ?? new RetentionPolicy()) with { MaxAge = TimeSpan.FromDays(days) } : options.Retention,
            Prices = Models.Values.Any(model => model.Price is not null) ? PricesOver(options.Prices) : options.Prices,
        };
    }

    Dictionary<string, ModelPrice> PricesOver(IReadOnlyDictionary<string, ModelPrice>? own)
    {
        var prices = new Dictionary<string, ModelPrice>(own ?? new Dictionary<string, ModelPrice>());
        foreach (var model in Models.Values.Where(model => model.Price is not null)) prices[model.Model] = model.Price!;
        return prices;
    }

    /// <summary>What an approval asks, with the limits of the file.</summary>
    public ApprovalRequest Over(ApprovalRequest request) =>
        request with { Timeout = ApprovalTimeout ?? request.Timeout, OnTimeout = OnApprovalTimeout ?? request.OnTimeout };

    /// <summary>Reads a text. Nothing in it is executed, and no file that it names is opened.</summary>
    /// <param name="text">The text.</param>
    /// <param name="path">Where it is from, for messages; files that it names are beside it.</param>
    /// <param name="directory">The folder that <paramref name="path"/> is relative to.</param>
    /// <param name="variable">Environment variables.</param>
    /// <exception cref="WorkflowFileException">It has errors; all are listed with line and column.</exception>
    public static Configuration Parse(string text, string path, string directory, Func<string, string?> variable)
    {
        var problems = new ProblemList(path, text);
        var root = YamlReader.Read(text, problems);
        if (root is not null and not YamlMapping) problems.Error(root, $"A configuration file is a mapping of keys and values, and this is {root.Kind}.", "It begins with 'workflow:' or 'models:'.");
        var folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path, directory))!;
        var read = root is YamlMapping node ? new Reader(problems, folder, variable).Read(node, path) : None;
        return problems.HasErrors ? throw new WorkflowFileException(problems.Items) : read;
    }

    sealed class Reader(ProblemList problems, string folder, Func<string, string?> variable)
    {
        public Configuration Read(YamlMapping node, string path)
        {
            Vocabulary.Find("configuration").Check(node, problems);
            if (problems.HasErrors) return None;
            var settings = node.Find("workflow") as YamlMapping;
            var storage = settings?.Find("checkpointing") as YamlMapping;
            var people = settings?.Find("human_in_the_loop") as YamlMapping;
            var auto = storage?.FindScalar("auto_resume_on_failure");
            return new Configuration
            {
                Path = path,
                MaxRounds = Number(settings, "max_rounds"), MaxStalls = Number(settings, "max_stalls"), MaxResets = Number(settings, "max_resets"),
                Timeout = Seconds(settings, "timeout_seconds"),
                Enabled = storage?.FindScalar("enabled")?.Flag,
                Store = storage is null ? null : ReadStore(storage),
                CleanupAfterDays = Number(storage, "cleanup_after_days"),
                AutoResumeAttempts = auto?.Flag is { } flag ? (flag ? 3 : 0) : StepReader.Whole(auto),
                Approvals = people is null ? new ApprovalRules() : new ApprovalRules
                {
                    Enabled = people.FindScalar("enabled")?.Flag ?? true,
                    Required = people.Has("require_approval_for") ? Texts(people, "require_approval_for") : null,
                    Trusted = Texts(people, "trusted_operations"),
                },
                ApprovalTimeout = Seconds(people, "approval_timeout_seconds"),
                OnApprovalTimeout = people?.FindScalar("auto_reject_on_timeout")?.Flag switch { true => TimeoutAction.Reject, false => TimeoutAction.Fail, null => null },
                Models = (node.Find("models") as YamlMapping)?.Entries.Select(entry => ReadModel(entry.Key, (YamlMapping)entry.Value)).ToDictionary(model => model.Name) ?? [],
            };
        }

        static int? Number(YamlMapping? node, string key) => StepReader.Whole(node?.FindScalar(key));

        static TimeSpan? Seconds(YamlMapping? node, string key) => Number(node, key) is { } seconds ? TimeSpan.FromSeconds(seconds) : null;

        static HashSet<string> Texts(YamlMapping node, string key) =>
            [.. node.Find(key) is YamlSequence list ? list.Items.OfType<YamlScalar>().Select(item => item.Value) : node.FindScalar(key) is { } one ? [one.Value] : Array.Empty<string>()];

        string? ReadStore(YamlMapping node)
        {
            var kind = node.FindScalar("storage_type")?.Value ?? "file";
            var path = node.Find("storage_path") is YamlMapping secret ? FromVariable(secret) : node.FindScalar("storage_path")?.Value;
            switch (kind)
            {
                case "memory":
                    if (path is not null) problems.Error(node.Find("storage_path")!, "A store in memory has no path.", "Remove 'storage_path'.");
                    return "memory:";
                case "sqlite":
                    return $"sqlite:{path ?? "pawl.db"}";
                case "postgres":
                    return Address(node, path, "PostgreSQL", "postgres://user@host/database", "postgres://", "postgresql://");
                case "redis":
                    return Address(node, path, "Redis", "redis://host:6379/0", "redis://", "rediss://");
                default:
                    return path is null && !node.Has("storage_type") ? null : $"file:{path ?? ".checkpoints"}";
            }
        }

        string? Address(YamlMapping node, string? path, string server, string example, params ReadOnlySpan<string> schemes)
        {
            if (path is null && !node.Has("storage_path")) problems.Error(node, $"'storage_path' is missing: the address of the {server} server.", $"Write {example}, or {{ env: VARIABLE }} for one with a password.");
            if (path is null) return null;
            foreach (var scheme in schemes)
                if (path.StartsWith(scheme, StringComparison.Ordinal)) return path;
            problems.Error(node.Find("storage_path")!, $"The address of a {server} server begins with {schemes[0]}.");
            return null;
        }

        string? FromVariable(YamlMapping secret)
        {
            var name = secret.FindScalar("env")!;
            if (variable(name.Value) is { Length: > 0 } value) return value;
            problems.Error(name, $"The environment variable '{YamlReader.Printable(name.Value)}' is not set.");
            return null;
        }

        ModelDefinition ReadModel(YamlScalar name, YamlMapping node)
        {
            var address = node.FindScalar("endpoint");
            var script = node.FindScalar("scripted");
            Uri? endpoint = null;
            if (address is not null && (!Uri.TryCreate(address.Value, UriKind.Absolute, out endpoint) || endpoint.Scheme is not ("http" or "https")))
                problems.Error(address, $"'{YamlReader.Printable(address.Value)}' is not the address of a server.", "It begins with http:// or https://, and most end with /v1.");
            if (address is null && script is null) problems.Error(node, $"The model '{YamlReader.Printable(name.Value)}' has neither 'endpoint' nor 'scripted'.");
            if (address is not null && !node.Has("model")) problems.Error(node, "'model' is missing: what the server calls it.");
            if (script is not null && FileContext.WhyNoDirectory(script.Value) is not null) problems.Error(script, "The file with answers lies in the folder of this file or below it.", "Name it relative to this file.");
            var price = node.Find("price") as YamlMapping;
            return new ModelDefinition(name.Value)
            {
                Endpoint = endpoint,
                Model = node.FindScalar("model")?.Value ?? name.Value,
                KeyVariable = (node.Find("key") as YamlMapping)?.FindScalar("env")?.Value,
                Script = script is null || problems.HasErrors ? null : System.IO.Path.GetFullPath(script.Value, folder),
                Price = price is null ? null : new ModelPrice(WorkflowReader.Usd(price, "input") ?? 0, WorkflowReader.Usd(price, "output") ?? 0),
                Temperature = Real(node, "temperature"), TopP = Real(node, "top_p"), MaxTokens = Number(node, "max_tokens"),
                Timeout = StepReader.ReadDuration(node, "timeout") ?? new ModelDefinition("").Timeout,
            };
        }

        static float? Real(YamlMapping node, string key) => node.FindScalar(key) is { } text ? float.Parse(text.Value, CultureInfo.InvariantCulture) : null;
    }
}

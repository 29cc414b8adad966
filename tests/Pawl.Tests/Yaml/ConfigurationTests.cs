using Pawl.Yaml;

namespace Pawl.Tests.Yaml;

/// <summary>The configuration file: every key works, and whatever is wrong is told with its place.</summary>
public sealed class ConfigurationTests
{
    static readonly Dictionary<string, string?> s_variables = new() { ["DATABASE_URL"] = "postgres://u:p@h/d" };

    static Configuration Parse(string text) => Configuration.Parse(text, "pawl.yaml", "/project", s_variables.GetValueOrDefault);

    static WorkflowProblem Problem(string text) => Assert.Single(Assert.Throws<WorkflowFileException>(() => Parse(text)).Problems);

    [Fact]
    public void The_file_of_seed_002_is_read_as_it_stands()
    {
        var read = Parse("""
            # config/workflow.yaml
            workflow:
              max_rounds: 10
              max_stalls: 3
              checkpointing:
                enabled: true
                storage_type: file  # file, memory, redis
                storage_path: ./checkpoints
                cleanup_after_days: 30
                auto_resume_on_failure: true
            """);
        Assert.Equal((10, 3, (int?)null), (read.MaxRounds, read.MaxStalls, read.MaxResets));
        Assert.Equal((true, "file:./checkpoints", 30, 3), (read.Enabled, read.Store, read.CleanupAfterDays, read.AutoResumeAttempts));
    }

    [Fact]
    public void Every_key_is_read()
    {
        var read = Parse("""
            workflow:
              max_rounds: 12
              max_stalls: 4
              max_resets: 1
              timeout_seconds: 300
              checkpointing: { enabled: false, storage_type: sqlite, storage_path: runs.db, cleanup_after_days: 7, auto_resume_on_failure: 2 }
              human_in_the_loop:
                enabled: true
                approval_timeout_seconds: 300
                auto_reject_on_timeout: false
                require_approval_for: [code_execution, file_operations]
                trusted_operations: [web_search]
            models:
              default:
                endpoint: http://localhost:11434/v1
                model: llama
                key: { env: MODEL_KEY }
                price: { input: 0.5, output: 2 }
                temperature: 0.2
                top_p: 0.9
                max_tokens: 4000
                timeout: 30s
              demo: { scripted: answers/demo.yaml }
            """);
        Assert.Equal((12, 4, 1, TimeSpan.FromMinutes(5)), (read.MaxRounds, read.MaxStalls, read.MaxResets, read.Timeout));
        Assert.Equal((false, "sqlite:runs.db", 7, 2), (read.Enabled, read.Store, read.CleanupAfterDays, read.AutoResumeAttempts));
        Assert.Equal((TimeSpan.FromMinutes(5), TimeoutAction.Fail), (read.ApprovalTimeout, read.OnApprovalTimeout));
        Assert.Equal(["code_execution", "file_operations"], read.Approvals.Required!.Order());
        Assert.Equal(["web_search"], read.Approvals.Trusted);
        Assert.Equal(new ModelDefinition("default")
        {
            Endpoint = new Uri("http://localhost:11434/v1"), Model = "llama", KeyVariable = "MODEL_KEY", Price = new ModelPrice(0.5m, 2), Temperature = 0.2f, TopP = 0.9f, MaxTokens = 4000, Timeout = TimeSpan.FromSeconds(30),
        }, read.FindModel("default"));
        Assert.Equal("/project/answers/demo.yaml", read.FindModel("demo")!.Script);
        Assert.Null(read.FindModel("other"));
        var asked = new ApprovalRequest("?") { Timeout = TimeSpan.FromDays(1), OnTimeout = TimeoutAction.Continue };
        Assert.Equal(asked with { Timeout = TimeSpan.FromMinutes(5), OnTimeout = TimeoutAction.Fail }, read.Over(asked));
        Assert.Equal(asked, Configuration.None.Over(asked));
    }

    [Fact]
    public void It_stands_over_the_workflow_and_changes_only_what_it_names()
    {
        var own = new WorkflowOptions
        {
            Timeout = TimeSpan.FromHours(1), AutoResumeAttempts = 5, Retention = new RetentionPolicy { KeepLast = 9 }, Prices = new Dictionary<string, ModelPrice> { ["a"] = new(1, 1), ["b"] = new(2, 2) },
        };
        Assert.Equal(own, Configuration.None.Over(own));
        var over = Parse("""
            workflow: { timeout_seconds: 60, checkpointing: { enabled: false, cleanup_after_days: 3, auto_resume_on_failure: false } }
            models: { one: { endpoint: "http://h/v1", model: a, price: { input: 7, output: 8 } } }
            """).Over(own);
        Assert.Equal((TimeSpan.FromMinutes(1), CheckpointStrategy.Off, 0), (over.Timeout, over.Strategy, over.AutoResumeAttempts));
        Assert.Equal(new RetentionPolicy { MaxAge = TimeSpan.FromDays(3), KeepLast = 9 }, over.Retention);
        Assert.Equal((new ModelPrice(7, 8), new ModelPrice(2, 2)), (over.Prices!["a"], over.Prices["b"]));
        Assert.Equal(CheckpointStrategy.EveryStep, Parse("workflow: { checkpointing: { enabled: true } }").Over(own with { Strategy = CheckpointStrategy.Off }).Strategy);
    }

    [Theory]
    [InlineData("storage_type: memory", "memory:")]
    [InlineData("storage_type: sqlite", "sqlite:pawl.db")]
    [InlineData("storage_type: file", "file:.checkpoints")]
    [InlineData("enabled: true", null)]
    [InlineData("storage_path: ./elsewhere", "file:./elsewhere")]
    [InlineData("storage_type: postgres, storage_path: { env: DATABASE_URL }", "postgres://u:p@h/d")]
    [InlineData("storage_type: redis, storage_path: 'redis://h:6380/2?prefix=p'", "redis://h:6380/2?prefix=p")]
    [InlineData("storage_type: redis, storage_path: rediss://h", "rediss://h")]
    public void The_store_follows_from_kind_and_path(string keys, string? store) => Assert.Equal(store, Parse($"workflow: {{ checkpointing: {{ {keys} }} }}").Store);

    [Theory]
    [InlineData("workflow: { checkpointing: { storage_type: redis } }", 1, "'storage_path' is missing", "redis://")]
    [InlineData("workflow: { checkpointing: { storage_type: redis, storage_path: ./runs } }", 1, "begins with redis://", null)]
    [InlineData("workflow: { checkpointing: { storage_type: fille } }", 1, "must be one of file, memory, sqlite, postgres, redis, not 'fille'", "Did you mean 'file'?")]
    [InlineData("workflow: { checkpointing: { storage_type: postgres } }", 1, "'storage_path' is missing", "postgres://")]
    [InlineData("workflow: { checkpointing: { storage_type: postgres, storage_path: { env: NOT_SET } } }", 1, "'NOT_SET' is not set", null)]
    [InlineData("workflow: { checkpointing: { storage_type: memory, storage_path: x } }", 1, "has no path", null)]
    [InlineData("workflow:\n  max_round: 3", 2, "There is no key 'max_round'", "Did you mean 'max_rounds'?")]
    [InlineData("workflow:\n  max_rounds: many", 2, "must be a whole number from 1", null)]
    [InlineData("checkpointing: { enabled: true }", 1, "There is no key 'checkpointing'", "under 'workflow'")]
    [InlineData("models: { a: { model: x } }", 1, "has neither 'endpoint' nor 'scripted'", null)]
    [InlineData("models: { a: { endpoint: localhost, model: x } }", 1, "is not the address of a server", "http://")]
    [InlineData("models: { a: { endpoint: \"http://h/v1\" } }", 1, "'model' is missing", null)]
    [InlineData("models: { a: { endpoint: \"http://h/v1\", model: m, key: sk-123 } }", 1, "'key' must be a mapping (env", null)]
    [InlineData("models: { a: { scripted: ../../etc/passwd } }", 1, "lies in the folder of this file", null)]
    [InlineData("steps: []", 1, "There is no key 'steps'", "the workflow's own file")]
    [InlineData("just a text", 1, "is a mapping", null)]
    public void What_is_wrong_is_told_with_its_place(string text, int line, string message, string? hint)
    {
        var problem = Problem(text);
        Assert.Equal(line, problem.Line);
        Assert.Contains(message, problem.Message, StringComparison.Ordinal);
        if (hint is not null) Assert.Contains(hint, problem.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void A_literal_key_is_never_repeated() =>
        Assert.DoesNotContain("sk-123", Problem("models: { a: { endpoint: \"http://h/v1\", model: m, key: sk-123 } }").ToString(), StringComparison.Ordinal);
}

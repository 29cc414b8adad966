using System.Diagnostics;
using Pawl.Cli;
using Pawl.Cli.Input;
using Pawl.Cli.View;

namespace Pawl.Tests.Cli;

public sealed class InputTests
{
    [Theory]
    [InlineData("90s", 90)]
    [InlineData("15m", 900)]
    [InlineData("1h30m", 5400)]
    [InlineData("30d", 2_592_000)]
    [InlineData("2w", 1_209_600)]
    [InlineData("1.5h", 5400)]
    [InlineData("250ms", 0.25)]
    [InlineData("0s", 0)]
    public void A_length_of_time_is_read(string text, double seconds) => Assert.Equal(seconds, Spans.Parse("x", text).TotalSeconds);

    [Theory]
    [InlineData("")]
    [InlineData("5")]
    [InlineData("s")]
    [InlineData("5 minutes")]
    [InlineData("-5s")]
    [InlineData("99999999999999d")]
    public void What_is_no_length_of_time_is_a_usage_error(string text) => Assert.Throws<UsageException>(() => Spans.Parse("--since", text));

    [Fact]
    public void A_time_is_a_date_or_a_length_of_time_ago()
    {
        var now = new DateTimeOffset(2026, 3, 10, 12, 0, 0, TimeSpan.Zero);
        Assert.Equal(now.AddDays(-2), Spans.ParseTime("--since", "2d", now));
        Assert.Equal(new DateTimeOffset(2026, 1, 10, 0, 0, 0, TimeSpan.Zero), Spans.ParseTime("--since", "2026-01-10T00:00:00Z", now));
        Assert.Throws<UsageException>(() => Spans.ParseTime("--since", "yesterday", now));
    }

    [Fact]
    public async Task A_shell_reads_quoted_words_back()
    {
        string[] words = ["plain", "with space", "it's", "$HOME", "`id`", "a\"b", "", "*", "file:/tmp/a b", "a;b|c&d", "ü"];
        using var shell = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", $"printf '%s\\n' {Quote.Line(words)}"]) { RedirectStandardOutput = true })!;
        var read = await shell.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        Assert.Equal(words, read[..^1].Split('\n'));
    }

    [Theory]
    [InlineData(0.0123, "12 ms")]
    [InlineData(1.23, "1.2 s")]
    [InlineData(59.99, "1 min 00 s")]
    [InlineData(930, "15 min 30 s")]
    [InlineData(7860, "2 h 11 min")]
    [InlineData(2_592_000, "30 d")]
    [InlineData(2_595_600, "30 d 1 h")]
    public void Durations_are_short(double seconds, string text) => Assert.Equal(text, Human.Duration(TimeSpan.FromSeconds(seconds)));

    [Theory]
    [InlineData("a\e[2Jb\nc", "ab c")]
    [InlineData("\e[1;31mred\e[0m", "red")]
    [InlineData("\e]0;title\adone", "done")]
    [InlineData("bell\a back\b", "bell? back?")]
    [InlineData("cut\e[", "cut")]
    [InlineData("cut\e", "cut")]
    public void A_steps_text_cannot_steer_the_terminal(string text, string line) => Assert.Equal(line, Human.Line(text));

    [Fact]
    public void Branch_and_commit_are_read_without_git()
    {
        using var lab = new CommandLab();
        var commit = new string('a', 40);
        lab.Write(".git/HEAD", "ref: refs/heads/topic/x\n");
        lab.Write(".git/refs/heads/topic/x", commit + "\n");
        var facts = ProjectFacts.Gather(At(Directory.CreateDirectory(lab.Path_("src/deep")).FullName));
        Assert.Equal(lab.Folder, facts.ProjectPath);
        Assert.Equal("topic/x", facts.Environment["git_branch"]);
        Assert.Equal(commit, facts.Environment["git_commit"]);
    }

    [Fact]
    public void A_packed_branch_and_a_detached_head_are_read_too()
    {
        using var lab = new CommandLab();
        var commit = new string('b', 40);
        lab.Write(".git/HEAD", "ref: refs/heads/main\n");
        lab.Write(".git/packed-refs", $"# pack-refs with: peeled\n{new string('c', 40)} refs/heads/other\n{commit} refs/heads/main\n");
        Assert.Equal(commit, ProjectFacts.Gather(At(lab.Folder)).Environment["git_commit"]);
        lab.Write(".git/HEAD", new string('d', 40) + "\n");
        var detached = ProjectFacts.Gather(At(lab.Folder)).Environment;
        Assert.Equal(new string('d', 40), detached["git_commit"]);
        Assert.False(detached.ContainsKey("git_branch"));
    }

    [Fact]
    public void A_worktree_finds_its_repository()
    {
        using var lab = new CommandLab();
        var commit = new string('e', 40);
        lab.Write("repo/.git/worktrees/w/HEAD", "ref: refs/heads/w\n");
        lab.Write("repo/.git/worktrees/w/commondir", "../..\n");
        lab.Write("repo/.git/refs/heads/w", commit);
        lab.Write("w/.git", $"gitdir: {lab.Path_("repo/.git/worktrees/w")}\n");
        var facts = ProjectFacts.Gather(At(lab.Path_("w")));
        Assert.Equal((lab.Path_("w"), "w", commit), (facts.ProjectPath, facts.Environment["git_branch"], facts.Environment["git_commit"]));
    }

    static Caller At(string folder) => new() { Out = TextWriter.Null, Error = TextWriter.Null, Directory = folder, Variable = _ => null };
}

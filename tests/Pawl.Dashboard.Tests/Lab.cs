using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Pawl.Storage;

namespace Pawl.Dashboard.Tests;

/// <summary>A dashboard on a free port over a store, with the workflows that the tests use.</summary>
sealed class Lab : IAsyncDisposable
{
    readonly Action _cleanUp;

    Lab(PawlClient client, LocalDashboard server, HttpClient http, Action cleanUp) => (Client, Server, Http, _cleanUp) = (client, server, http, cleanUp);

    public PawlClient Client { get; }
    public LocalDashboard Server { get; }

    /// <summary>Has the cookie already.</summary>
    public HttpClient Http { get; }

    public static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>Two halves one after the other, a decision, the end. With the param <c>fail</c> the right half fails.</summary>
    public static Workflow Pipeline { get; } = MakePipeline();

    static Workflow MakePipeline()
    {
        var workflow = Workflow.Create("pipeline").Param("fail", false).Param("who", "world");
        workflow.Step("load", _ => 40);
        workflow.Step("left", context =>
        {
            context.State.Set("left", 1);
            return context.Output<int>("load") + 1;
        }, step => step.Needs("load"));
        workflow.Step("right", context => context.Params.Get<bool>("fail") ? throw new InvalidOperationException("The right half is broken.") : context.Output<int>("load") + 2, step => step.Needs("load").After("left"));
        workflow.Step("gate", context => context.RequestApprovalAsync(new ApprovalRequest("Publish?")), step => step.Needs("left", "right"));
        workflow.Step("publish", context => $"hello {context.Params.Get<string>("who")}, {context.Output<int>("right")}", step => step.Needs("gate"));
        return workflow.Build();
    }

    /// <summary>Does what it is told, between two steps.</summary>
    public static Workflow Held(string name, Func<StepContext, Task> body)
    {
        var workflow = Workflow.Create(name);
        workflow.Step("before", _ => 1);
        workflow.Step("held", body, step => step.Needs("before"));
        workflow.Step("after", _ => 2, step => step.Needs("held"));
        return workflow.Build();
    }

    public static Task<Lab> StartAsync(string kind = "memory", bool readOnly = false, Func<ICheckpointStore, ICheckpointStore>? around = null, params Workflow[] more)
    {
        var folder = Path.Combine(Path.GetTempPath(), $"pawl-ui-{Guid.NewGuid():N}");
        ICheckpointStore store = kind switch
        {
            "memory" => new MemoryStore(),
            "file" => FileStore.Open(folder),
            _ => SqliteStore.Open(Path.Combine(Directory.CreateDirectory(folder).FullName, "runs.db")),
        };
        return OverAsync(around?.Invoke(store) ?? store, folder, readOnly, more);
    }

    /// <param name="store">Ends with the lab.</param>
    /// <param name="folder">Its data, if any: goes with it.</param>
    /// <param name="readOnly">Nothing can be changed from the page.</param>
    /// <param name="more">Workflows besides the <see cref="Pipeline"/>.</param>
    public static async Task<Lab> OverAsync(ICheckpointStore store, string? folder = null, bool readOnly = false, params Workflow[] more)
    {
        var live = Directory.CreateTempSubdirectory("pawl-live-").FullName;
        var client = new PawlClient(store, new PawlOptions { LiveFolder = live });
        var server = await LocalDashboard.StartAsync(new DashboardOptions { Client = client, Workflows = [Pipeline, .. more], ReadOnly = readOnly, Actor = _ => "ann", RefreshEvery = TimeSpan.FromMilliseconds(50) });
        var http = new HttpClient(new Described(new HttpClientHandler { CookieContainer = new CookieContainer() })) { BaseAddress = new Uri(server.Address, "api/v1/") };
        (await http.GetAsync(server.Link)).EnsureSuccessStatusCode();
        return new Lab(client, server, http, () =>
        {
            if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
            Directory.Delete(live, recursive: true);
        });
    }

    public async Task<JsonElement> GetAsync(string path)
    {
        using var answer = await Http.GetAsync(path, Stop);
        Assert.True(answer.IsSuccessStatusCode, $"{path}: {await answer.Content.ReadAsStringAsync(Stop)}");
        return await answer.Content.ReadFromJsonAsync<JsonElement>(Stop);
    }

    public Task<HttpResponseMessage> PostAsync(string path, string json) => Http.PostAsync(path, new StringContent(json, Encoding.UTF8, "application/json"), Stop);

    public async Task<JsonElement> DoAsync(string path, string json = "{}")
    {
        using var answer = await PostAsync(path, json);
        Assert.True(answer.IsSuccessStatusCode, $"{path}: {await answer.Content.ReadAsStringAsync(Stop)}");
        return await answer.Content.ReadFromJsonAsync<JsonElement>(Stop);
    }

    /// <summary>Until a run is as it should be; what it was last is told when it never is.</summary>
    public async Task<RunHead> UntilAsync(string runId, Func<RunHead, bool> isSo)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        limit.CancelAfter(TimeSpan.FromSeconds(30));
        while (true)
        {
            var head = await Client.FindAsync(runId, Stop);
            if (head is not null && isSo(head)) return head;
            Assert.False(limit.IsCancellationRequested, $"Run '{runId}' is {head}");
            await Task.Delay(20, Stop);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await Server.DisposeAsync();
        await Client.DisposeAsync();
        _cleanUp();
    }
}

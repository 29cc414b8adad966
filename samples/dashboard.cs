#!/usr/bin/env dotnet
#:sdk Microsoft.NET.Sdk.Web
#:project ../src/Pawl.Dashboard/Pawl.Dashboard.csproj
#:property PublishAot=false

// A web application with a workflow of its own, and the page over its runs at /pawl for those whom its own policy lets in.
//   ASPNETCORE_ENVIRONMENT=Development dotnet run samples/dashboard.cs        then open http://127.0.0.1:5080/pawl/

using Pawl;
using Pawl.Dashboard;

var greet = Workflow.Create("greet").Param("who", "world");
var text = greet.Step("text", ctx => $"hello {ctx.Params.Get<string>("who")}");
greet.Step("ask", ctx => ctx.RequestApprovalAsync(new ApprovalRequest($"Send '{ctx.Output(text)}'?")));
greet.Step("send", async ctx => await Console.Out.WriteLineAsync(ctx.Output(text)));
var workflow = greet.Build();

// #region map
var builder = WebApplication.CreateBuilder(args);
builder.Services.AddPawl("file:.checkpoints");
builder.Services.AddAuthentication().AddCookie();
builder.Services.AddAuthorizationBuilder().AddPolicy("operators", policy => policy.RequireAssertion(context => builder.Environment.IsDevelopment() || context.User.IsInRole("operator")));

var app = builder.Build();
app.MapPawl("/pawl", new DashboardOptions { Workflows = [workflow] }).RequireAuthorization("operators");
// #endregion

var client = app.Services.GetRequiredService<PawlClient>();
await client.RunAsync(workflow, new Dictionary<string, object?> { ["who"] = "moon" });
app.Run(args is [var url, ..] ? url : "http://127.0.0.1:5080");

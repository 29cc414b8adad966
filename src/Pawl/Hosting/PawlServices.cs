using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Pawl.Storage;

namespace Pawl;

/// <summary>Registers Pawl with a service collection.</summary>
public static class PawlServices
{
    /// <summary>Adds a singleton <see cref="PawlClient"/>. Step bodies reach the container as <see cref="StepContext.Services"/>.</summary>
    /// <param name="services">The collection.</param>
    /// <param name="storeUri">Where runs live. Default <c>file:.checkpoints</c>. A registered <see cref="ICheckpointStore"/> goes first.</param>
    /// <param name="configure">Changes the settings.</param>
    public static IServiceCollection AddPawl(this IServiceCollection services, string storeUri = "file:.checkpoints", Action<PawlOptions>? configure = null)
    {
        services.TryAddSingleton(provider =>
        {
            var options = new PawlOptions { Services = provider };
            if (provider.GetService<ILoggerFactory>() is { } logging) options.Logging = logging;
            if (provider.GetService<TimeProvider>() is { } time) options.Time = time;
            configure?.Invoke(options);
            return new PawlClient(provider.GetService<ICheckpointStore>() ?? StoreUri.Open(storeUri, options.Time), options);
        });
        return services;
    }

    /// <summary>Runs a <see cref="PawlWorker"/> with the application: it starts with it, and drains when it stops (see <see cref="WorkerOptions.DrainTime"/>;
    /// the host's own shutdown time should be longer).</summary>
    /// <param name="services">A collection with <see cref="AddPawl"/>.</param>
    /// <param name="options">Makes the settings; the workflows may come from the container.</param>
    public static IServiceCollection AddPawlWorker(this IServiceCollection services, Func<IServiceProvider, WorkerOptions> options)
    {
        services.TryAddSingleton(provider => new PawlWorker(provider.GetRequiredService<PawlClient>(), options(provider)));
        services.AddSingleton<IHostedService, HostedWorker>();
        return services;
    }

    sealed class HostedWorker(PawlWorker worker) : BackgroundService
    {
        protected override Task ExecuteAsync(CancellationToken stoppingToken) => worker.RunAsync(stoppingToken);
    }
}

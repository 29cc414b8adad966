using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
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
}

using Pawl.Stores;
using Pawl.Stores.Chaos;
using Xunit.MicrosoftTestingPlatform;

// The tests; or, started by one of them, a process that it kills.
SqliteSubject.RunWhenAsked();
await RedisSubject.RunWhenAskedAsync();
return await ChaosWorker.RunWhenAskedAsync() || await EnqueueSubject.RunWhenAskedAsync() || await ScheduleSubject.RunWhenAskedAsync()
    ? 0
    : await TestPlatformTestFramework.RunAsync(args, Pawl.Stores.Tests.SelfRegisteredExtensions.AddSelfRegisteredExtensions);

using Pawl.Tests.Storage;
using Xunit.MicrosoftTestingPlatform;

// The tests; or, started by one of them, a process that it traces, starves and kills.
Subject.RunWhenAsked();
return await TestPlatformTestFramework.RunAsync(args, Pawl.Tests.SelfRegisteredExtensions.AddSelfRegisteredExtensions);

using Xunit.MicrosoftTestingPlatform;

return await TestPlatformTestFramework.RunAsync(args, Pawl.Dashboard.Tests.SelfRegisteredExtensions.AddSelfRegisteredExtensions);

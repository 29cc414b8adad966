#!/usr/bin/env bash
# Publishes the one native program (eng/publish.sh) and lets every test that starts a command start that one. It takes
# some ten minutes on two cores, so it is not part of .ci/run, whose tests start the command of the tool package.
set -euo pipefail
cd "$(dirname "$0")/.."
eng/publish.sh artifacts/native
dotnet build tests/Pawl.Tests -c Release -v q
PAWL_TEST_COMMAND=$PWD/artifacts/native/pawl exec artifacts/bin/Pawl.Tests/release/Pawl.Tests --no-progress --no-ansi

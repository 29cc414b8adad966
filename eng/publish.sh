#!/usr/bin/env bash
# usage: eng/publish.sh [--framework-dependent] FOLDER
# Publishes pawl for linux-x64 into FOLDER: by default as one native program that needs no .NET on the machine (it is
# linked by the C compiler here, and runs where glibc is not older than here); framework-dependent, as a small folder
# for a machine that has .NET, compiled ahead as far as that goes (ReadyToRun).
set -euo pipefail
kind=(--self-contained -p:PublishSelfContained=true -p:PublishAot=true)
if [ "${1:-}" = --framework-dependent ]; then kind=(--no-self-contained -p:PublishReadyToRun=true) && shift; fi
folder=${1:?usage: eng/publish.sh [--framework-dependent] FOLDER}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
cd "$(dirname "$0")/.."

# A restore for one platform writes other lock files than the one everybody shares: it gets its own, and its own obj.
apart=$PWD/artifacts/apart
mkdir -p "$apart"
echo "<Project><PropertyGroup><NuGetLockFilePath>$apart/\$(MSBuildProjectName).lock.json</NuGetLockFilePath></PropertyGroup></Project>" > "$apart/locks.props"
dotnet publish src/Pawl.Cli -c Release -r linux-x64 "${kind[@]}" -v q --nologo -o "$folder" --artifacts-path "$apart" \
  -p:RunAnalyzers=false -p:DebugType=none -p:PublishDocumentationFiles=false -p:PublishReferencesDocumentationFiles=false "-p:CustomAfterMicrosoftCommonProps=$apart/locks.props"
# One file is one file: the host is there under the command's name only.
if [ ! -e "$folder/Pawl.Cli.dll" ]; then rm -f "$folder/Pawl.Cli"; fi
ls -l "$folder/pawl"

#!/usr/bin/env bash
# usage: eng/publish.sh [--framework-dependent] FOLDER
# Publishes pawl for linux-x64 into FOLDER, compiled ahead (ReadyToRun): by default as one file that needs no .NET on
# the machine; framework-dependent, as a small folder for a machine that has it.
set -euo pipefail
# What goes with its .NET is compiled together with it, so that more of it is compiled ahead; the options of the other kind would not fit.
# For processors of 2013 and later (AVX2): the framework's vector code is compiled ahead too. An older one compiles all at each start, and is only slower.
kind=(--self-contained -p:PublishSelfContained=true -p:PublishSingleFile=true -p:IncludeNativeLibrariesForSelfExtract=true
  -p:PublishReadyToRunComposite=true -p:PublishReadyToRunCrossgen2ExtraArgs=--instruction-set:x86-64-v3)
if [ "${1:-}" = --framework-dependent ]; then kind=(--no-self-contained) && shift; fi
folder=${1:?usage: eng/publish.sh [--framework-dependent] FOLDER}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
cd "$(dirname "$0")/.."

# A restore for one platform writes other lock files than the one everybody shares: it gets its own, and its own obj.
apart=$PWD/artifacts/apart
mkdir -p "$apart"
echo "<Project><PropertyGroup><NuGetLockFilePath>$apart/\$(MSBuildProjectName).lock.json</NuGetLockFilePath></PropertyGroup></Project>" > "$apart/locks.props"
dotnet publish src/Pawl.Cli -c Release -r linux-x64 "${kind[@]}" -v q --nologo -o "$folder" --artifacts-path "$apart" \
  -p:PublishReadyToRun=true -p:RunAnalyzers=false -p:DebugType=none -p:PublishDocumentationFiles=false -p:PublishReferencesDocumentationFiles=false "-p:CustomAfterMicrosoftCommonProps=$apart/locks.props"
# One file is one file: the host is there under the command's name only.
if [ ! -e "$folder/Pawl.Cli.dll" ]; then rm -f "$folder/Pawl.Cli"; fi
ls -l "$folder/pawl"

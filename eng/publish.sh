#!/usr/bin/env bash
# usage: eng/publish.sh FOLDER
# Publishes pawl for linux-x64 into FOLDER as one file that needs no .NET on the machine, compiled ahead (ReadyToRun).
set -euo pipefail
folder=${1:?usage: eng/publish.sh FOLDER}
cd "$(dirname "$0")/.."
dotnet publish src/Pawl.Cli -c Release -r linux-x64 --self-contained -v q --nologo -o "$folder" \
  -p:PublishSelfContained=true -p:PublishSingleFile=true -p:PublishReadyToRun=true \
  -p:IncludeNativeLibrariesForSelfExtract=true -p:EnableCompressionInSingleFile=false -p:DebugType=none
ls -l "$folder/pawl"

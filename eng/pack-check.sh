#!/usr/bin/env bash
# usage: eng/pack-check.sh [FOLDER]
# Packs every package into a temporary folder and checks what users would get: readme, icon, the API's documentation,
# and a pawl command that installs from nothing but these packages and runs. With a folder it stays there.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
feed=$work/feed tools=${1:-$work/tools}
rm -rf "$tools"

# The build before has looked at the code.
dotnet pack Pawl.slnx -c Release -v q -p:RunAnalyzers=false -o "$feed"

# The names in a zip file are stored as they are, so no unzip is needed to look for one.
failed=0
has() { LC_ALL=C grep -aqF -- "$2" "$1" || { echo "$(basename "$1") does not contain $2" >&2; failed=1; }; }
packages=("$feed"/*.nupkg)
for package in "${packages[@]}"; do
  id=$(basename "$package" | sed -E 's/\.[0-9]+\.[0-9]+\.[0-9]+.*$//')
  has "$package" README.md
  has "$package" icon.png
  case $id in Pawl.Cli*) ;; *) has "$package" "lib/net10.0/$id.xml" ;; esac
  echo "$id: $(($(wc -c < "$package") / 1024)) KiB"
done
[ ${#packages[@]} -ge 9 ] || { echo "only ${#packages[@]} packages were made" >&2; failed=1; }

dotnet tool install Pawl.Cli --source "$feed" --tool-path "$tools" > "$work/install.log" || { cat "$work/install.log" >&2; exit 1; }
version=$("$tools/pawl" --version)
echo "installed: pawl $version"
expected=$(sed -n 's:.*<Version>\(.*\)</Version>.*:\1:p' Directory.Build.props)
[ "${version%%+*}" = "$expected" ] || { echo "pawl --version says '$version', the packages say '$expected'" >&2; failed=1; }
exit "$failed"

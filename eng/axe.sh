#!/usr/bin/env bash
# Puts axe-core, the accessibility checker of the browser tests, into artifacts/axe, once. Needs npm; runs nothing of the package.
set -euo pipefail
cd "$(dirname "$0")/.."
version=4.14.1
[ -e artifacts/axe/axe.min.js ] && exit 0
mkdir -p artifacts/axe
npm pack --silent --pack-destination artifacts/axe "axe-core@$version" > /dev/null
tar -xzf "artifacts/axe/axe-core-$version.tgz" -C artifacts/axe --strip-components=1 package/axe.min.js
rm "artifacts/axe/axe-core-$version.tgz"

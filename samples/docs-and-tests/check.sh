#!/usr/bin/env bash
# Runs every script by itself over a small repository with known faults and odd file names, and compares what they find.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
repo=$work/repo out=$work/out
mkdir -p "$repo/src" "$repo/docs dir" "$repo/tests"
cd "$repo"
git init -q -b main .
git config user.name Tester && git config user.email tester@localhost

printf '# Title\n\nSee [the guide](docs%%20dir/guide.md#first-steps), [gone](gone.md), [no anchor](docs%%20dir/guide.md#none),\n[out](https://localhost/x) and `[code](no.md)`. We recieve it.\n\n```sh\n[fenced](no.md)\n```\n\n### Jump\n' > README.md
printf '# Guide\n\n## First *steps*!\n\n[up](../README.md) [top](#guide)\n' > 'docs dir/guide.md'
printf '# Two lines\n\n[broken](nowhere.md)\n' > $'docs dir/new\nline.md'
printf '# Equals\n' > 'a=b.md'
printf 'no title, trailing blank \nno line end' > ./-dash.md
printf 'one\n\tdouble\n' > 'quote"and$dollar`.txt'
printf '#!/bin/bash\nif true; then\n' > src/broken.sh
printf '#!/bin/sh\necho fine # TODO: more\n' > src/fine.sh
printf 'def area(): pass\n' > src/area.py
printf 'def lonely(): pass\n' > src/lonely.py
printf 'import area\ndef test_area(): pass\nasync def test_more(): pass\n' > tests/test_area.py
printf '{ "dependencies": { },\n  "devDependencies": {\n    "left-pad": "^1.3.0"\n  }\n}\n' > package.json
printf '<<<<<<< ours\na: 1\n' > conflict.yaml
printf '\000binary' > image.bin
ln -s /etc/passwd link.md
echo 'ignored/' > .gitignore && mkdir ignored && echo '[x](gone.md)' > ignored/x.md
git add -A && git commit -qm 'feat: begin' && git tag v1
echo >> src/fine.sh && git commit -qam 'fix(src): a blank line' && echo untracked > new.txt

for script in analyze documentation headings spelling references structure test-review test-gaps test-run dependencies quality markdown context finalize; do
  bash "$here/scripts/$script.sh" . "$out" > /dev/null
done

failed=0
expect() {
  local found
  found=$(sed -n "s/^$2=//p" "$out/$1.values")
  [ "$found" = "$3" ] || { echo "$1: $2 is '$found', expected '$3'" >&2; failed=1; }
}
shows() { grep -qF -- "$2" "$out/$1" || { echo "$1 does not show: $2" >&2; failed=1; }; }
expect analyze files 16
expect analyze branch main
expect analyze changed 1
expect documentation missing 5
expect headings problems 1
expect spelling problems 1
expect references links 6
expect references scripts 2
expect references problems 4
expect test-review tests 2
expect test-review runner none
expect test-gaps gaps 3
expect test-run ran false
expect dependencies packages 1
expect quality open_ends 1
expect quality problems 1
expect markdown problems 2
expect context commits 2
expect finalize problems 9
shows references.md '`docs dir/new?line.md:3` → `nowhere.md` does not exist'
shows references.md '`README.md:3` → `docs%20dir/guide.md#none` has no such heading'
shows references.md '`src/broken.sh` does not parse'
shows structure.md '`quote"and$dollar?.txt`'
shows CHANGELOG.next.md '- a blank line ('
shows report.md '9 problems.'
[ "$(grep -c '^begin ' "$out/steps.log")" = 14 ] && [ "$(grep -c '^end ' "$out/steps.log")" = 14 ] || { echo "steps.log does not show 14 beginnings and 14 ends" >&2; failed=1; }
[ -z "$(find "$out" -name '.*' -type f)" ] || { echo "temporary files are left in $out" >&2; failed=1; }
if bash "$here/scripts/finalize.sh" . "$out" 0 true > /dev/null 2>&1; then echo "finalize did not fail although strict is set" >&2; failed=1; fi
if bash "$here/scripts/analyze.sh" "$work" "$out" > /dev/null 2>&1; then echo "analyze accepts a folder that is no repository" >&2; failed=1; fi

# A repository without a commit, and one without anything.
git init -q "$work/empty"
for script in analyze documentation headings spelling references structure test-review test-gaps test-run dependencies quality markdown context finalize; do
  bash "$here/scripts/$script.sh" "$work/empty" > /dev/null || { echo "$script fails in an empty repository" >&2; failed=1; }
done

[ "$failed" = 0 ] && echo "docs-and-tests: every script finds what it should"
exit "$failed"

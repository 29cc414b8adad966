#!/usr/bin/env bash
# Proves every workflow file of the samples at all points, and says for each how many points there were, how many held, and the seconds.
#   eng/prove-all.sh [POINTS]   a sample of the points of each instead of all
# samples/proving/faulty.yaml has faults on purpose: there, steps to blame are what must be found. Exit code 1 when anything else does not hold.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
pawl=${PAWL_TEST_COMMAND:-artifacts/demo-cli/pawl}
[ -x "$pawl" ] || eng/publish.sh --framework-dependent artifacts/demo-cli || exit 1
pawl=$(realpath "$pawl")
points=${1:-all}
answer=$(mktemp) || exit 1
trap 'rm -f "$answer"' EXIT
failed=0
printf '%-36s %7s %7s %8s  %s\n' workflow points green seconds 'to blame'
while read -r file; do
  # Without a tool that it needs, a sample cannot run at all.
  began=$SECONDS
  (cd "$(dirname "$file")" && "$pawl" prove "$(basename "$file")" --points "$points" --json) > "$answer" 2> "$answer.error"
  code=$?
  if ! line=$(jq -r '[(.points | length), ([.points[] | select(.verdict == "holds")] | length), (.to_blame | join(" "))] | @tsv' "$answer" 2> /dev/null); then
    printf '%-36s %s\n' "$file" "not proved: $(head -n 1 "$answer.error")"
    failed=1
    continue
  fi
  IFS=$'\t' read -r tried green blamed <<< "$line"
  printf '%-36s %7s %7s %8s  %s\n' "$file" "$tried" "$green" $((SECONDS - began)) "$blamed"
  [ "$file" = samples/proving/faulty.yaml ] && { [ "$blamed" = "append count order convert" ] || failed=1; continue; }
  [ "$code" = 0 ] || failed=1
done < <(grep -lE '^steps:' $(git ls-files 'samples/*.yaml') | grep -v reference/clean.yaml)
rm -f "$answer.error"
exit $failed

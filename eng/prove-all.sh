#!/usr/bin/env bash
# Proves every workflow file of the samples at all points, and says for each how many points there were, how many were green, and the seconds.
#   eng/prove-all.sh [POINTS [FILE…]]   a sample of the points of each instead of all; only these files
# samples/proving/faulty.yaml has faults on purpose: there, the steps to blame must be found. Exit code 1 when anything is otherwise.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
root=$PWD points=${1:-all} failed=0
[ $# = 0 ] || shift
pawl=${PAWL_TEST_COMMAND:-$root/artifacts/demo-cli/pawl}
[ -x "$pawl" ] || eng/publish.sh --framework-dependent artifacts/demo-cli > /dev/null || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# folder FILE: where it is proved. What works on a project gets a small one, so that each of the many copies is cheap.
folder() {
  case $1 in
    samples/docs-and-tests/* | samples/quickstart/*)
      local project=$work/$(basename "$(dirname "$1")")
      mkdir -p "$project/docs"
      printf '# Project\n\n[guide](docs/guide.md)\n' > "$project/README.md"
      printf '# Guide\n' > "$project/docs/guide.md"
      git -C "$project" init -q -b main && git -C "$project" add -A && git -C "$project" -c user.name=Tester -c user.email=tester@localhost commit -qm 'feat: begin'
      echo "$project" ;;
    *) dirname "$1" ;;
  esac
}

printf '%-36s %7s %7s %8s  %s\n' workflow points green seconds 'to blame'
# The child of every-key.yaml is proved with it. Settings and answers of scripted models are no workflows, and reference/agents asks models and a tracker that are not there.
for file in $(git ls-files "${@:-samples/*.yaml}" | grep -v -e reference/clean.yaml -e reference/agents/ -e /pawl.yaml -e /answers.yaml); do
  began=$SECONDS
  (cd "$(folder "$file")" && "$pawl" prove "$root/$file" --points "$points" --json) > "$work/answer" 2> "$work/error"
  code=$?
  if ! line=$(jq -er '[(.points | length), ([.points[] | select(.verdict == "holds")] | length), (.to_blame | sort | join(" "))] | join("|")' "$work/answer" 2> /dev/null); then
    printf '%-36s %s\n' "$file" "not proved: $(grep '^pawl:' "$work/error" | head -n 1)"
    failed=1
    continue
  fi
  IFS='|' read -r tried green blamed <<< "$line"
  printf '%-36s %7s %7s %8s  %s\n' "$file" "$tried" "$green" $((SECONDS - began)) "$blamed"
  if [ "$file" = samples/proving/faulty.yaml ]; then [ "$blamed" = 'append convert count order' ] || failed=1; else [ "$code" = 0 ] || failed=1; fi
done
exit $failed

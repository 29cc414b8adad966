#!/usr/bin/env bash
# The promise, seen: a 13-step pipeline over this repository is killed with kill -9 in the middle and resumed, and no
# step that was finished is done twice. Exits with 1 when the promise is broken. About a minute, most of it the build.
set -euo pipefail
cd "$(dirname "$0")/.."
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 NO_COLOR=1
demo=artifacts/demo store=file:artifacts/demo/checkpoints
# .ci/run has a command already.
pawl=${PAWL_TEST_COMMAND:-artifacts/demo-cli/pawl}

bold= plain=
if [ -t 1 ]; then bold=$'\033[1m' plain=$'\033[0m'; fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
show() { printf '$ %s\n' "$*"; }

say "1. Build the command (compiled ahead, into artifacts/demo-cli)"
[ -n "${PAWL_TEST_COMMAND:-}" ] || eng/publish.sh --framework-dependent artifacts/demo-cli > /dev/null
rm -rf "$demo"
mkdir -p "$demo"
echo "pawl $("$pawl" --version)"

say "2. Run 13 steps over this repository; each waits a second, so that there is a middle to kill it in"
command=(run samples/docs-and-tests/workflow.yaml --param out="$demo/report" --param pause=1 --run-id demo --store "$store")
show pawl "${command[@]}"
"$pawl" "${command[@]}" &
process=$!
# Kill it when some steps have left their checkpoint and others have not begun.
for _ in $(seq 600); do
  [ "$(grep -cs '"kind":"step".*"status":"completed"' "$demo/checkpoints/demo/journal.jsonl" || true)" -ge 5 ] 2> /dev/null && break
  kill -0 "$process" 2> /dev/null || break
  sleep 0.05
done

say "3. kill -9 $process"
kill -9 "$process" || { echo "the run ended before it could be killed" >&2; exit 1; }
wait "$process" 2> /dev/null || true
# What the journal holds now is what was promised. The steps themselves keep a witness outside of it: a line when they begin.
finished=$(sed -n 's/.*"kind":"step".*"path":"\([^"]*\)".*"status":"completed".*/\1/p' "$demo/checkpoints/demo/journal.jsonl" | sed 's:.*/::' | sort)
cp "$demo/report/steps.log" "$demo/witness-at-kill"
show pawl status demo --store "$store"
"$pawl" status demo --store "$store" || true

say "4. Resume"
show pawl resume demo --store "$store"
"$pawl" resume demo --store "$store"

say "5. Did anything that was finished happen twice?"
verdict=0
[ "$(echo "$finished" | wc -w)" -ge 5 ] || { echo "  only $(echo "$finished" | wc -w) steps were finished: that is no middle"; verdict=1; }
for step in $finished; do
  times=$(grep -cx "begin $step" "$demo/report/steps.log" || true)
  case $step in consistency) continue ;; esac   # a group: its own steps are counted
  [ "$times" = 1 ] || { echo "  $step was finished before the kill and began $times times"; verdict=1; }
done
for script in samples/docs-and-tests/scripts/*.sh; do
  step=$(basename "$script" .sh)
  [ "$step" = common ] || grep -qx "end $step" "$demo/report/steps.log" || { echo "  $step never came to its end"; verdict=1; }
done
[ -s "$demo/report/report.md" ] || { echo "  there is no report"; verdict=1; }
again=$(grep '^begin ' "$demo/report/steps.log" | sort | uniq -d | sed 's/begin //' | tr '\n' ' ')
printf '  finished before the kill: %s\n' "$(echo $finished)"
printf '  in the middle of their work when it was killed, so begun again: %s\n' "${again:-none}"
printf '  report: %s\n' "$demo/report/report.md"
if [ "$verdict" = 0 ]; then say "Kept: every finished step was done once, and every step was done."; else say "BROKEN: see above."; fi
exit "$verdict"

#!/usr/bin/env bash
# Builds and tests the project with its own tool, when asked to and when the tool is there. More arguments than the
# others: test-run.sh TARGET OUT PAUSE BUILD RUNNER, with BUILD true or false and RUNNER as test-review.sh names it.
. "$(dirname "$0")/common.sh"
begin "Test run"
build=${4:-false}
runner=${5:-none}

case $runner in
  dotnet) command=(dotnet test) ;;
  cargo) command=(cargo test) ;;
  go) command=(go test ./...) ;;
  npm) command=(npm test) ;;
  make) grep -qE '^test *:' Makefile && command=(make test) || command=(make check) ;;
  none) command=() ;;
  *) echo "$step: '$runner' is no runner: dotnet, cargo, go, npm, make or none" >&2; exit 2 ;;
esac

result=
if [ ${#command[@]} = 0 ]; then result="not run: no known test runner"
elif [ "$build" != true ]; then result="not run: build is false (it would be: ${command[*]})"
elif ! command -v "${command[0]}" > /dev/null; then result="not run: ${command[0]} is not installed"
fi
if [ -n "$result" ]; then
  printf '%s.\n\n' "${result^}"
  value ran false
  finish "$result"
  exit
fi

log=$out/test-run.log
code=0
"${command[@]}" > "$log" 2>&1 < /dev/null || code=$?
printf '`%s` ended with exit code %d. Its last lines:\n\n```text\n%s\n```\n\n' "${command[*]}" "$code" "$(tail -n 15 "$log" | tr -d '\000-\010\013-\037\140')"
value ran true
value exit_code "$code"
finish "${command[*]}: exit code $code"
if [ "$code" != 0 ]; then tail -n 30 "$log" >&2; fi
exit "$code"

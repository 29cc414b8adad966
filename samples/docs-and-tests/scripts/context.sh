#!/usr/bin/env bash
# Who worked on it, when, and where it changes most; and one JSON file with every figure so far, for other tools.
. "$(dirname "$0")/common.sh"
begin "Context"

commits=0
if git rev-parse --verify --quiet HEAD > /dev/null; then
  commits=$(git rev-list --count HEAD -- .)
  authors=$(git log --format=%aN -- . | sort -u | count)
  printf '%d commits by %d people, first %s, last %s.\n\n' "$commits" "$authors" \
    "$(git log --reverse --format=%as -- . | sed -n 1p)" "$(git log -1 --format=%as -- .)"
  git log --format=%ad --date=format:%Y-%m -- . | sort | uniq -c | tail -n 12 | awk '{ print $2 ": " $1 " commits" }' | list "By month:" 12
  git log -200 --format= --name-only --relative -z -- . | sort -z | uniq -zc | sort -zk1,1nr | sed -zn 1,10p | tr '\n\t\0' '? \n' |
    awk '{ n = $1; sub(/^ *[0-9]+ /, ""); gsub(/`/, "?"); print "`" $0 "`: " n " commits" }' | list "Changed most in the last 200 commits:" 10
else
  printf 'No commit yet.\n\n'
fi

json=$(mktemp "$out/.$step.XXXXXX")
# Not its own, of an earlier attempt or run, nor those of what comes behind it.
find "$out" -maxdepth 1 -name '*.values' ! -name "$step.values" ! -name finalize.values -print0 | sort -z | over awk '
  function text(s) { gsub(/[\\"]/, "\\\\&", s); gsub(/[[:cntrl:]]/, "?", s); return "\"" s "\"" }
  BEGIN { print "{" }
  FNR == 1 { step = FILENAME; sub(/^.*\//, "", step); sub(/\.values$/, "", step); printf "%s  %s: {", open ? " },\n" : "", text(step); open = 1; comma = "" }
  { at = index($0, "="); v = substr($0, at + 1); printf "%s %s: %s", comma, text(substr($0, 1, at - 1)), v ~ /^(0|[1-9][0-9]*)$/ ? v : text(v); comma = "," }
  END { print (open ? " }" : "") "\n}" }' > "$json"
chmod 644 "$json"
mv "$json" "$out/context.json"

value commits "$commits"
finish "$commits commits; the figures are in context.json"

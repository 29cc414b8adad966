#!/usr/bin/env bash
# The changelog since the last tag, and the report that holds every section. One argument more than the others:
# finalize.sh TARGET OUT PAUSE STRICT; with STRICT true, problems found by any step make this one fail.
. "$(dirname "$0")/common.sh"
begin "Changes"
strict=${4:-false}

tag=$(git describe --tags --abbrev=0 2> /dev/null || true)
if git rev-parse --verify --quiet HEAD > /dev/null; then
  git log -500 --no-merges --format='%h %s' ${tag:+"$tag..HEAD"} -- . | tr -d '\000-\010\013-\037\140' | awk -v since="${tag:-the beginning}" '
    {
      hash = $1; sub(/^[^ ]+ /, "")
      kind = "Changed"
      if ($0 ~ /^feat[(:!]/ || $0 ~ /^[Aa]dd /) kind = "Added"
      else if ($0 ~ /^fix[(:!]/ || $0 ~ /^[Ff]ix/) kind = "Fixed"
      else if ($0 ~ /^[Rr]emove/) kind = "Removed"
      sub(/^[a-z]+(\([^)]*\))?!?: */, "")
      entry[kind] = entry[kind] "- " $0 " (" hash ")\n"; n++
    }
    END {
      printf "%d commits since %s.\n\n", n, since
      split("Added Changed Fixed Removed", kinds, " ")
      for (i = 1; i <= 4; i++) if (entry[kinds[i]] != "") print "### " kinds[i] "\n\n" entry[kinds[i]]
    }'
else
  printf 'No commit yet.\n\n'
fi
sed 's/^## Changes$/# Changes/; s/^### /## /' "$section" > "$section.log"
chmod 644 "$section.log"
mv "$section.log" "$out/CHANGELOG.next.md"

order="analyze documentation headings spelling references structure test-review test-gaps test-run dependencies quality markdown context"
problems=0
report=$(mktemp "$out/.$step.XXXXXX")
trap 'rm -f "$section" "$values" "$report"' EXIT
{
  printf '# Report on %s\n\n| step | result |\n|---|---|\n' "$(basename "$target" | tr -d '\000-\037\140|')"
  for name in $order; do
    [ -r "$out/$name.values" ] || { printf '| %s | did not run |\n' "$name"; continue; }
    printf '| %s | %s |\n' "$name" "$(sed -n 's/^summary=//p' "$out/$name.values" | tr '|' '/')"
    found=$(sed -n 's/^problems=//p' "$out/$name.values")
    problems=$((problems + ${found:-0}))
  done
  printf '\n%d problems.\n\n' "$problems"
  for name in $order; do [ -r "$out/$name.md" ] && cat "$out/$name.md"; done
  cat "$section"
} > "$report"
chmod 644 "$report"
mv "$report" "$out/report.md"

value problems "$problems"
finish "$problems problems; the report is $out/report.md"
[ "$strict" != true ] || [ "$problems" = 0 ] || { echo "$step: strict is set and there are $problems problems" >&2; exit 1; }

#!/usr/bin/env bash
# What the repository consists of: files, lines, languages, the newest commit, what is not committed.
. "$(dirname "$0")/common.sh"
begin "Analysis"

branch=$(git symbolic-ref --quiet --short HEAD || echo detached)
commit=$(git rev-parse --short --verify --quiet HEAD || echo none)
total=$(files | tr -cd '\0' | wc -c)
changed=$(git status --porcelain -z -- . | tr -cd '\0' | wc -c)

lines=$(mktemp "$out/.$step.XXXXXX")
trap 'rm -f "$section" "$values" "$lines"' EXIT
text | over awk "$awk_lib"'
  FNR == 1 { kind = ext(FILENAME); files[kind]++ }
  { lines[kind]++ }
  END { for (kind in lines) print kind, files[kind], lines[kind] }' |
  awk '{ files[$1] += $2; lines[$1] += $3 } END { for (kind in lines) print kind, files[kind], lines[kind] }' |
  sort -k3,3nr -k1,1 > "$lines"

printf 'Branch `%s`, commit `%s`: %d files, %d paths not committed.\n\n' "$branch" "$commit" "$total" "$changed"
printf '| kind | text files | lines |\n|---|--:|--:|\n'
awk 'NR <= 15 { printf "| %s | %d | %d |\n", $1, $2, $3 }
     NR > 15 { files += $2; lines += $3 }
     END { if (files) printf "| others | %d | %d |\n", files, lines; print "" }' "$lines"

value files "$total"
value lines "$(awk '{ n += $3 } END { print n + 0 }' "$lines")"
value markdown "$(awk '$1 == "md" { print $2; found = 1 } END { if (!found) print 0 }' "$lines")"
value branch "$branch"
value commit "$commit"
value changed "$changed"
finish "$total files on $branch, $changed not committed"

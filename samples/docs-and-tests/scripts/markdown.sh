#!/usr/bin/env bash
# The Markdown rules that trip renderers and reviewers, with markdownlint's numbers.
. "$(dirname "$0")/common.sh"
begin "Markdown lint"

work=$(mktemp -d "$out/.$step.XXXXXX")
trap 'rm -rf "$section" "$values" "$work"' EXIT
text '*.md' > "$work/files"
over awk "$awk_lib"'
  function say(rule, what) { print rule "\t" name(FILENAME) ":" FNR "\t" what }
  FNR == 1 { fence = 0; blank = 1; blanks = 0; heading = 0 }
  { sub(/\r$/, "") }
  heading && !/^[ \t]*$/ { say("MD022", "no blank line after a heading") }
  { heading = 0 }
  /^ *(```|~~~)/ {
    if (!fence && !blank) say("MD031", "no blank line before a fence")
    if (!fence && $0 ~ /^ *(```+|~~~+)[ \t]*$/) say("MD040", "a fence without a language")
    fence = !fence; blank = 0; blanks = 0; next
  }
  fence { next }
  /[^ ] $/ || /   $/ { say("MD009", "blanks at the end of the line") }
  /\t/ { say("MD010", "a tab") }
  /^[ \t]*$/ { if (++blanks == 2) say("MD012", "several blank lines"); blank = 1; next }
  /^#+[^# \t]/ && !/^#+[0-9]/ && !/^#!/ { say("MD018", "no blank after #") }
  /^#+[ \t]/ { if (!blank) say("MD022", "no blank line before a heading"); heading = 1 }
  { blank = 0; blanks = 0 }
  /^<!--.*-->$/ { blank = 1 }' < "$work/files" > "$work/found"

# The last byte of every file in one go; text names no empty files, so the n-th byte belongs to the n-th file.
mapfile -d '' -t names < "$work/files"
last=$(over tail -qc 1 -- < "$work/files" | tr -c '\n' x | tr '\n' n)
for ((i = 0; i < ${#names[@]}; i++)); do
  name=${names[i]#./}
  [ "${last:i:1}" = n ] || printf 'MD047\t`%s`\tno line end at the end of the file\n' "${name//[[:cntrl:]\`]/?}"
done >> "$work/found"

problems=$(count "$work/found")
if [ "$problems" = 0 ]; then
  printf '%d files, nothing to say.\n\n' ${#names[@]}
else
  printf '| rule | places | what |\n|---|--:|---|\n'
  awk -F '\t' '{ n[$1]++; what[$1] = $3 } END { for (rule in n) printf "| %s | %d | %s |\n", rule, n[rule], what[rule] }' "$work/found" | sort
  printf '\n'
  awk -F '\t' '{ print $2 " " $1 " " $3 }' "$work/found" | list "Places:" 40
fi
value problems "$problems"
finish "$problems places in ${#names[@]} files"

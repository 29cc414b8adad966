#!/usr/bin/env bash
# Source files that no test mentions by name, the largest first: where the next test is worth most.
. "$(dirname "$0")/common.sh"
begin "Test gaps"

work=$(mktemp -d "$out/.$step.XXXXXX")
trap 'rm -rf "$section" "$values" "$work"' EXIT

while IFS= read -r -d '' file; do
  base=${file##*/}
  if [[ $file =~ /(tests?|specs?|__tests__|e2e)/|[._-](test|spec)\. || $base =~ ^test_|_test\.|Tests?\. || $file == *.bats ]]; then
    printf '%s\0' "$file" >> "$work/tests"
  elif [[ ! $file =~ /(samples?|examples?|bench|benchmarks|vendor|node_modules|third_party)/ ]]; then
    printf '%s\0' "$file" >> "$work/sources"
  fi
done < <(text '*.bats' '*.cs' '*.go' '*.java' '*.js' '*.kt' '*.py' '*.rb' '*.rs' '*.sh' '*.ts')
touch "$work/tests" "$work/sources"

over awk '{ gsub(/[^A-Za-z0-9_]+/, " "); for (i = 1; i <= NF; i++) if (!($i in seen)) { seen[$i]; print $i } }' < "$work/tests" > "$work/words"
over awk "$awk_lib"'
  function flush() { if (file != "") print lines "\t" stem(file) "\t" name(file) }
  function stem(f) { sub(/^.*\//, "", f); sub(/\..*$/, "", f); gsub(/[^A-Za-z0-9_]/, "_", f); return f }
  FNR == 1 { flush(); file = FILENAME; lines = 0 }
  { lines++ }
  END { flush() }' < "$work/sources" |
  awk -F '\t' 'FILENAME != "-" { tested[$1]; next } { print ($2 in tested ? "yes" : "no") "\t" $1 "\t" $3 }' "$work/words" - |
  sort -t "$(printf '\t')" -k1,1 -k2,2nr > "$work/result"

sources=$(count "$work/result")
gaps=$(awk -F '\t' '$1 == "no"' "$work/result" | count)
printf '%d of %d source files are mentioned by a test.\n\n' $((sources - gaps)) "$sources"
awk -F '\t' '$1 == "no" { print $3 ": " $2 " lines" }' "$work/result" | list "No test mentions:" 30
value sources "$sources"
value gaps "$gaps"
finish "$gaps of $sources source files without a test that names them"

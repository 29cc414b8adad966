#!/usr/bin/env bash
# Which documents there are, which ones a stranger would miss, and how they relate to the code.
. "$(dirname "$0")/common.sh"
begin "Documentation"

missing=()
printf '| document | found |\n|---|---|\n'
for document in README LICENSE CONTRIBUTING CHANGELOG SECURITY ARCHITECTURE; do
  found=$(files ":(icase)$document*" ":(icase)docs/$document*" ":(icase).github/$document*" | tr '\0' '\n' | sed -n 1p)
  found=${found#./}
  [[ -n $found ]] || missing+=("$document")
  printf '| %s | %s |\n' "$document" "${found:+\`$found\`}"
done

printf '\n| document | lines | words | headings |\n|---|--:|--:|--:|\n'
text '*.md' | over awk "$awk_lib"'
  function flush() { if (file != "") print lines "\t" words "\t" headings "\t" name(file) }
  FNR == 1 { flush(); file = FILENAME; lines = words = headings = fence = 0 }
  { lines++; words += NF }
  /^ *(```|~~~)/ { fence = !fence }
  !fence && /^#+ / { headings++ }
  END { flush() }' |
  sort -t "$(printf '\t')" -k2,2nr | awk -F '\t' '
    NR <= 20 { printf "| %s | %d | %d | %d |\n", $4, $1, $2, $3 }
    { n++; words += $2 }
    END { printf "\n%d documents, %d words.\n\n", n, words }'

# A folder with code and no document of its own is where a reader stops.
text '*.c' '*.cc' '*.cpp' '*.cs' '*.go' '*.java' '*.js' '*.kt' '*.py' '*.rb' '*.rs' '*.sh' '*.ts' '*.md' | over awk '
  FNR == 1 { path = FILENAME; sub(/^\.\//, "", path); if (split(path, part, "/") > 1) { gsub(/[[:cntrl:]`]/, "?", part[1]); print part[1], path ~ /\.md$/ ? "document" : "code" } }' |
  awk '{ kind = $NF; sub(/ [a-z]+$/, ""); if (kind == "code") code[$0]++; else documents[$0]++ }
       END { for (folder in code) if (!documents[folder]) print "`" folder "`: " code[folder] " source files" }' |
  sort | list "Top folders with code and no Markdown document:" 20

value missing "${#missing[@]}"
finish "${#missing[@]} usual documents missing${missing[*]:+ (${missing[*]})}"

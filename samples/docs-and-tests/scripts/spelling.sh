#!/usr/bin/env bash
# Common misspellings in the Markdown prose (these are problems), and rare words that no list knows (these are only shown).
# The lists: words.txt and misspellings.txt beside the workflow, and the system's own word list when it has one.
. "$(dirname "$0")/common.sh"
begin "Spelling"

work=$(mktemp -d "$out/.$step.XXXXXX")
trap 'rm -rf "$section" "$values" "$work"' EXIT
system=/dev/null
for list in /usr/share/dict/words /usr/share/dict/american-english; do [ -r "$list" ] && system=$list; done

# One line per word of prose: word, place. Fences, code spans, addresses, tags and link targets are no prose.
text '*.md' | over awk "$awk_lib"'
  FNR == 1 { fence = 0 }
  /^ *(```|~~~)/ { fence = !fence; next }
  fence || /^(    |\t)/ { next }
  {
    gsub(/`[^`]*`/, " "); gsub(/<[^>]*>/, " "); gsub(/\]\([^)]*\)/, " "); gsub(/[A-Za-z0-9._~-]*[.\/_@][^ |)]+/, " ")
    gsub(/\302\240|\342\200\231/, "\047"); gsub(/[^A-Za-z\047\200-\377]/, " ")
    for (i = 1; i <= NF; i++) {
      word = $i; gsub(/^\047+|\047+$/, "", word); sub(/\047s$/, "", word)
      if (length(word) >= 4 && word ~ /^[A-Z]?[a-z]+$/) print tolower(word) "\t" name(FILENAME) ":" FNR "\t" (word ~ /^[a-z]/)
    }
  }' > "$work/prose"

awk -F '\t' 'NR == FNR { split($0, pair, " "); right[pair[1]] = pair[2]; next }
  $1 in right { print $2 " \"" $1 "\": \"" right[$1] "\"?" }' "$scripts/../misspellings.txt" "$work/prose" > "$work/wrong"

awk -F '\t' '
  function known(w) { return w in words }
  function ending(w, tail,  stem) {
    if (length(w) <= length(tail) + 2 || substr(w, length(w) - length(tail) + 1) != tail) return 0
    stem = substr(w, 1, length(w) - length(tail))
    return known(stem) || known(stem "e") || known(stem "y") || substr(stem, length(stem)) == substr(stem, length(stem) - 1, 1) && known(substr(stem, 1, length(stem) - 1))
  }
  function derived(w,  i) { for (i = 1; i <= tails; i++) if (ending(w, tail[i])) return 1; return 0 }
  function fronted(w,  i) { for (i = 1; i <= heads; i++) if (index(w, head[i]) == 1 && length(w) > length(head[i]) + 2 && (known(substr(w, length(head[i]) + 1)) || derived(substr(w, length(head[i]) + 1)))) return 1; return 0 }
  BEGIN {
    tails = split("s es ed d ing ings er ers or ors r ly ily able ness ment ments ion ions ies ied est al ful less wise", tail, " ")
    heads = split("un re in non over under sub pre mis dis out up", head, " ")
  }
  FILENAME != prose { words[tolower($1)]; next }
  # A word with a capital may be a name.
  $3 && !known($1) { seen[$1]++; if (!($1 in place)) place[$1] = $2 }
  END { for (w in seen) if (seen[w] <= 2 && !derived(w) && !fronted(w)) print w " (" place[w] ")" }
' prose="$work/prose" "$scripts/../words.txt" "$system" "$work/prose" | sort > "$work/rare"

problems=$(count "$work/wrong")
list "Misspelt:" 50 < "$work/wrong"
list "Rare words that no list knows:" 40 < "$work/rare"
if [ ! -s "$work/wrong" ] && [ ! -s "$work/rare" ]; then printf 'Nothing to say.\n\n'; fi
value words "$(count "$work/prose")"
value problems "$problems"
finish "$problems misspelt, $(count "$work/rare") rare words among $(count "$work/prose")"

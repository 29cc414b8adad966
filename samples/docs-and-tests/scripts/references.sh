#!/usr/bin/env bash
# Do the relative links and anchors of the Markdown files lead anywhere, and does every script at least parse?
. "$(dirname "$0")/common.sh"
begin "Links and scripts"

work=$(mktemp -d "$out/.$step.XXXXXX")
trap 'rm -rf "$section" "$values" "$work"' EXIT

# Triples separated by NUL: kind (L a link, A an anchor), file:line, what. Names may hold anything but NUL.
text '*.md' | over awk '
  function emit(kind, what) { printf "%s%c%s%c%d%c%s%c", kind, 0, FILENAME, 0, FNR, 0, what, 0 }
  function slug(s) {
    while (match(s, /\[[^]]*\]\([^)]*\)/)) { t = substr(s, RSTART + 1, RLENGTH - 1); sub(/\].*/, "", t); s = substr(s, 1, RSTART - 1) t substr(s, RSTART + RLENGTH) }
    s = tolower(s); gsub(/[][!"#$%&\047()*+,.\/:;<=>?@\\^`{|}~]/, "", s); gsub(/ /, "-", s)
    return s
  }
  FNR == 1 { fence = 0; split("", slugs) }
  /^ *(```|~~~)/ { fence = !fence; next }
  fence { next }
  /^#+[ \t]/ { h = $0; sub(/^#+[ \t]+/, "", h); sub(/[ \t]+#*[ \t]*$/, "", h); s = slug(h); n = slugs[s]++; emit("A", n ? s "-" n : s) }
  { line = $0; while (match(line, /(id|name)="[^"]+"/)) { a = substr(line, RSTART, RLENGTH); sub(/^[^"]*"/, "", a); sub(/"$/, "", a); emit("A", a); line = substr(line, RSTART + RLENGTH) } }
  {
    line = $0; gsub(/`[^`]*`/, "", line)
    if (match(line, /^ *\[[^]]+\]:[ \t]*/)) { t = substr(line, RSTART + RLENGTH); emit("L", t); next }
    while ((at = index(line, "](")) > 0) {
      line = substr(line, at + 2); depth = 1; t = ""
      for (i = 1; i <= length(line); i++) {
        c = substr(line, i, 1)
        if (c == "(") depth++
        if (c == ")" && --depth == 0) break
        t = t c
      }
      emit("L", t); line = substr(line, i)
    }
  }' > "$work/found"

declare -A anchors=()
while IFS= read -r -d '' kind && IFS= read -r -d '' file && IFS= read -r -d '' _ && IFS= read -r -d '' what; do
  [[ $kind == A ]] && anchors["$file#$what"]=1
done < "$work/found"

links=0
while IFS= read -r -d '' kind && IFS= read -r -d '' file && IFS= read -r -d '' line && IFS= read -r -d '' what; do
  [[ $kind == L ]] || continue
  if [[ $what == '<'* ]]; then what=${what#<} what=${what%%>*}; else what=${what%%[[:space:]]*}; fi
  [[ -z $what || $what =~ ^[A-Za-z][A-Za-z0-9+.-]*: || $what == //* ]] && continue
  links=$((links + 1))
  anchor= path=${what%%#*}
  [[ $what == *'#'* ]] && anchor=${what#*#}
  path=${path%%\?*}
  # A backslash in the text must not become an escape when %XX is decoded.
  path=${path//\\/\\\\}
  printf -v path '%b' "${path//%/\\x}" 2> /dev/null || true
  case $path in
    '') to=$file ;;
    /*) to=.$path ;;
    *) to=${file%/*}/$path ;;
  esac
  shown=${file#./}:$line
  if [[ ! -e $to ]]; then
    printf '`%s` → `%s` does not exist\n' "${shown//[[:cntrl:]\`]/?}" "${what//[[:cntrl:]\`]/?}"
  elif [[ -n $anchor && $to == *.md ]]; then
    plain=$(realpath -s --relative-to=. -- "$to")
    [[ -n ${anchors["./$plain#$anchor"]:-} ]] ||
      printf '`%s` → `%s` has no such heading\n' "${shown//[[:cntrl:]\`]/?}" "${what//[[:cntrl:]\`]/?}"
  fi
done < "$work/found" > "$work/broken"

scripts_seen=0
while IFS= read -r -d '' file; do
  IFS= read -r -n 80 first < "$file" 2> /dev/null || true
  case $first in
    '#!'*bash*) shell=bash ;;
    '#!'*/sh | '#!'*/sh\ * | '#!'*/dash* | '#!'*' sh') shell=sh ;;
    '#!'*) continue ;;
    *) [[ $file == *.sh || $file == *.bash ]] || continue; shell=bash ;;
  esac
  scripts_seen=$((scripts_seen + 1))
  shown=${file#./}; shown=${shown//[[:cntrl:]\`]/?}
  "$shell" -n "$file" 2> "$work/error" || printf '`%s` does not parse: %s\n' "$shown" "$(head -n 1 "$work/error" | tr -d '\000-\037\140')"
  if [[ $first == '#!'* && ! -x $file ]]; then printf '`%s` has a #! line and is not executable\n' "$shown" >> "$work/modes"; fi
done < <(text | over grep -lZ -m 1 -E '^#!.*sh' -- ; text '*.sh' '*.bash' | over grep -LZ -m 1 -E '^#!.*sh' --) > "$work/scripts" || true

problems=$(($(count "$work/broken") + $(count "$work/scripts")))
printf '%d relative links and %d scripts checked, %d problems.\n\n' "$links" "$scripts_seen" "$problems"
list "Broken links:" 50 < "$work/broken"
list "Scripts that do not parse:" 50 < "$work/scripts"
if [ -s "$work/modes" ]; then list "Worth a look:" 20 < "$work/modes"; fi
value links "$links"
value scripts "$scripts_seen"
value problems "$problems"
finish "$links links, $scripts_seen scripts, $problems problems"

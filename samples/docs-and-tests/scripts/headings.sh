#!/usr/bin/env bash
# Headings that a table of contents can be made of: one title, no level left out, a contents list that is complete.
. "$(dirname "$0")/common.sh"
begin "Headings"

found=$(mktemp "$out/.$step.XXXXXX")
trap 'rm -f "$section" "$values" "$found"' EXIT
text '*.md' | over awk "$awk_lib"'
  function say(line, what) { print name(file) ":" line " " what }
  function flush(  i) {
    if (file == "") return
    if (titles > 1) say(second, "a second title (#)")
    if (contents) for (i = 1; i <= sections; i++)
      if (!index(listed, "[" section[i] "]")) say(contents, "the contents list leaves out \"" section[i] "\"")
  }
  FNR == 1 { flush(); file = FILENAME; fence = level = titles = sections = contents = in_contents = 0; listed = "" }
  /^ *(```|~~~)/ { fence = !fence; next }
  fence { next }
  /^#+[ \t]/ {
    match($0, /^#+/); now = RLENGTH
    heading = substr($0, now + 1); gsub(/^[ \t]+|[ \t#]+$/, "", heading); gsub(/[[:cntrl:]]/, "?", heading)
    if (now == 1 && ++titles == 2) second = FNR
    if (level && now > level + 1) say(FNR, "\"" heading "\" jumps from level " level " to " now)
    level = now
    in_contents = tolower(heading) ~ /^(contents|table of contents)$/
    if (in_contents) contents = FNR
    else if (now == 2) section[++sections] = heading
    next
  }
  in_contents { listed = listed $0 }
  END { flush() }' > "$found"

problems=$(count "$found")
if [ "$problems" = 0 ]; then printf 'Nothing to say.\n\n'; fi
list "Places to look at:" 50 < "$found"
value problems "$problems"
finish "$problems places"

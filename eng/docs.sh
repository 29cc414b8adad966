#!/usr/bin/env bash
# Fills every block that follows '<!-- from: path#region -->' in the Markdown files with what the region holds now.
# A test fails when a block differs from its region; this is the mend.
set -euo pipefail
cd "$(dirname "$0")/.."
git ls-files -z --cached --others --exclude-standard '*.md' | while IFS= read -r -d '' document; do
  awk '
    function fill(from,  path, name, line, on, n, i, body, lead, indent) {
      split(from, part, "#"); path = part[1]; name = part[2]; on = name == ""; indent = 1000
      while ((getline line < path) > 0) {
        trimmed = line; sub(/^ +/, "", trimmed)
        if (name != "" && (trimmed == "// #region " name || trimmed == "# region: " name)) { on = 1; continue }
        if (on && name != "" && (trimmed == "// #endregion" || trimmed == "# endregion")) break
        if (!on) continue
        body[++n] = line
        match(line, /^ */); if (line != "" && RLENGTH < indent) indent = RLENGTH
      }
      close(path)
      if (!n) { print FILENAME ": " from " holds nothing" > "/dev/stderr"; exit 1 }
      for (i = 1; i <= n; i++) print substr(body[i], indent + 1)
    }
    skipping && /^```$/ { skipping = 0 }
    skipping { next }
    { print }
    /^<!-- from: .* -->$/ { from = $3; next }
    from != "" && /^```/ { fill(from); from = ""; skipping = 1; next }
    from != "" && NF { from = "" }' "./$document" > "$document.new"
  if cmp -s "$document" "$document.new"; then rm "$document.new"; else cat "$document.new" > "$document"; rm "$document.new"; echo "$document"; fi
done

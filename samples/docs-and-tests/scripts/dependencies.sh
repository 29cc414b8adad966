#!/usr/bin/env bash
# What the project declares that it needs, by manifest, and whether a lock file pins it.
. "$(dirname "$0")/common.sh"
begin "Dependencies"

found=$(mktemp "$out/.$step.XXXXXX")
trap 'rm -f "$section" "$values" "$found"' EXIT
text '*.csproj' '*.fsproj' '*.props' '*package.json' '*Cargo.toml' '*go.mod' '*requirements*.txt' '*pyproject.toml' '*Gemfile' '*Dockerfile' '.github/workflows/*' | over awk "$awk_lib"'
  function say(package, version) { gsub(/[[:cntrl:]`|]/, "?", package); gsub(/[[:cntrl:]`|]/, "?", version); print name(FILENAME) "\t" package "\t" version }
  function attribute(key,  s) { if (!match($0, key "=\"[^\"]*\"")) return ""; s = substr($0, RSTART + length(key) + 2, RLENGTH - length(key) - 3); return s }
  FNR == 1 { base = FILENAME; sub(/^.*\//, "", base); part = "" }
  base ~ /proj$|\.props$/ {
    if ($0 ~ /<Package(Reference|Version) / && attribute("Include") != "") say(attribute("Include"), attribute("Version"))
    next
  }
  base == "package.json" {
    if ($0 ~ /"(dev|peer|optional)?[dD]ependencies" *: *\{/) { part = "in"; next }
    if ($0 ~ /\}/) part = ""
    if (part && match($0, /"[^"]+" *: *"[^"]+"/)) { split(substr($0, RSTART, RLENGTH), q, "\""); say(q[2], q[4]) }
    next
  }
  base == "Cargo.toml" || base == "pyproject.toml" {
    if ($0 ~ /^\[/) { part = $0 ~ /dependencies/; next }
    if (part && match($0, /^[A-Za-z0-9_-]+ *=/)) { key = $1; sub(/=.*/, "", key); sub(/^[^=]*= */, ""); say(key, $0) }
    next
  }
  base == "go.mod" {
    if ($1 == "require" && $2 != "(") say($2, $3)
    else if ($1 == "require") part = "in"
    else if ($1 == ")") part = ""
    else if (part && NF >= 2 && $1 !~ /^\/\//) say($1, $2)
    next
  }
  base ~ /requirements.*\.txt$/ { sub(/[ \t]*#.*/, ""); if (match($0, /^[A-Za-z0-9._-]+/)) say(substr($0, 1, RLENGTH), substr($0, RLENGTH + 1)); next }
  base == "Gemfile" { if ($1 == "gem") { gsub(/[\047",]/, ""); say($2, $3) } next }
  base == "Dockerfile" { if (toupper($1) == "FROM") say($2, "image"); next }
  $1 == "-" && $2 == "uses:" || $1 == "uses:" { use = $NF; at = index(use, "@"); if (at) say(substr(use, 1, at - 1), substr(use, at + 1)) }
' | sort -u > "$found"

if [ -s "$found" ]; then
  printf '| manifest | package | version |\n|---|---|---|\n'
  awk -F '\t' 'NR <= 60 { printf "| %s | %s | %s |\n", $1, $2, $3 } END { if (NR > 60) printf "| %d more | | |\n", NR - 60; print "" }' "$found"
else
  printf 'No manifest that this step knows declares a package.\n\n'
fi
files '*packages.lock.json' '*package-lock.json' '*yarn.lock' '*pnpm-lock.yaml' '*Cargo.lock' '*go.sum' '*poetry.lock' '*uv.lock' '*Gemfile.lock' |
  while IFS= read -r -d '' file; do file=${file#./}; printf '`%s`\n' "${file//[[:cntrl:]\`]/?}"; done | list "Lock files:" 30

packages=$(cut -f 2 "$found" | sort -u | count)
value packages "$packages"
finish "$packages packages in $(cut -f 1 "$found" | sort -u | count) manifests"

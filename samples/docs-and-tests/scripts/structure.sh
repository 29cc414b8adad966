#!/usr/bin/env bash
# The directories, the largest files, files with equal content, names that some tool will stumble over.
. "$(dirname "$0")/common.sh"
begin "Directory structure"

work=$(mktemp -d "$out/.$step.XXXXXX")
trap 'rm -rf "$section" "$values" "$work"' EXIT
files > "$work/files"

printf '| directory | files |\n|---|--:|\n'
while IFS= read -r -d '' file; do
  folder=${file#./}
  [[ $folder == */* ]] && folder=${folder%/*}/ || folder=./
  # Two levels are an overview; what lies deeper is counted with its parent.
  [[ $folder =~ ^([^/]*/[^/]*/) ]] && folder=${BASH_REMATCH[1]}
  printf '%s\n' "${folder//[[:cntrl:]\`|]/?}"
done < "$work/files" | sort | uniq -c | awk '{ n = $1; sub(/^ *[0-9]+ /, ""); print n "\t" $0 }' > "$work/folders"
awk -F '\t' 'NR <= 60 { printf "| `%s` | %d |\n", $2, $1 } END { if (NR > 60) printf "| %d more | |\n", NR - 60; print "" }' "$work/folders"

over du -k --apparent-size -0 -- < "$work/files" | sort -znr | sed -zn 1,10p | tr '\n\t\0' '? \n' |
  awk '{ size = $1; sub(/^[0-9]+ (\.\/)?/, ""); gsub(/`/, "?"); print "`" $0 "`: " size " KiB" }' | list "Largest files:" 10

# git knows the hash of every tracked blob, so equal files cost no reading.
while IFS= read -r -d '' entry; do
  hash=${entry#* }; hash=${hash%% *}; path=${entry#*$'\t'}
  [[ ${entry%% *} == 100* && $hash != e69de29bb2d1d6434b8b29ae775ad8c2e48c5391 ]] && printf '%s %s\n' "$hash" "${path//[[:cntrl:]\`]/?}"
done < <(git ls-files -sz) | sort | awk '
  { hash = $1; sub(/^[^ ]+ /, "") }
  hash == last { same = same ", `" $0 "`"; n++ }
  hash != last { if (n > 1) print same; same = "`" $0 "`"; n = 1; last = hash }
  END { if (n > 1) print same }' > "$work/same"
list "Files with equal content:" 20 < "$work/same"

while IFS= read -r -d '' file; do
  name=${file#./}
  [[ $name == *[[:cntrl:][:space:]\\:\*\?\"\<\>\|]* ]] && printf '`%s`\n' "${name//[[:cntrl:]\`]/?}"
done < "$work/files" > "$work/odd" || true
list "Names with blanks or signs that some systems refuse:" 20 < "$work/odd"

value directories "$(count "$work/folders")"
value duplicates "$(count "$work/same")"
finish "$(count "$work/folders") directories, $(count "$work/same") groups of equal files, $(count "$work/odd") odd names"

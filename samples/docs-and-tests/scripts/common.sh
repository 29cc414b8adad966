# Read by every step script. Each of them is called as
#   bash scripts/STEP.sh [TARGET [OUT [PAUSE]]]
# and works on the git repository (or a folder of one) TARGET, default '.'; it leaves its section of the report as
# OUT/STEP.md, default TARGET/build/pipeline. PAUSE is a number of seconds to wait before the work begins: time for
# a person to kill the run and see it resumed.
set -euo pipefail
export LC_ALL=C

step=$(basename "$0" .sh)
scripts=$(cd "$(dirname "$0")" && pwd)
target=$(cd "${1:-.}" && pwd)
out=${2:-}
out=${out:-$target/build/pipeline}
pause=${3:-0}

git -C "$target" rev-parse --is-inside-work-tree > /dev/null ||
  { echo "$step: '$target' is not a git work tree: give a repository's folder as the first argument" >&2; exit 2; }
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$target"

# begin TITLE: from here on, standard output is the step's section; it gets its name only in finish, when it is whole.
begin() {
  echo "begin $step" >> "$out/steps.log"
  sleep "$pause"
  # What an attempt that was killed left behind.
  rm -rf "$out/.$step".*
  section=$(mktemp "$out/.$step.XXXXXX")
  values=$(mktemp "$out/.$step.XXXXXX")
  trap 'rm -f "$section" "$values"' EXIT
  exec 3>&1 > "$section"
  printf '## %s\n\n' "$1"
}

# value NAME VALUE: an output of the step, and a figure for the report's summary.
value() {
  printf '%s=%s\n' "$1" "$2" >> "$values"
  printf '%s=%s\n' "$1" "$2" >> "${PAWL_OUTPUT:-/dev/null}"
}

# finish SUMMARY: the section and the figures appear, the summary goes to whoever watches.
finish() {
  value summary "$1"
  chmod 644 "$section" "$values"
  mv "$section" "$out/$step.md"
  mv "$values" "$out/$step.values"
  echo "end $step" >> "$out/steps.log"
  echo "$step: $1" >&3
}

# files [PATTERN...]: the files that git does not ignore, NUL-separated, as ./path, so that neither a leading '-' nor
# a '=' in a name means anything to the tools that read them.
files() {
  local file own=
  [[ $out == "$target"/* ]] && own=${out#"$target"/}/
  git ls-files -z --cached --others --exclude-standard -- "$@" | sort -zu | while IFS= read -r -d '' file; do
    [[ -f $file && ! -L $file ]] || continue
    [[ -n $own && $file == "$own"* ]] || printf './%s\0' "$file"
  done
}

# text [PATTERN...]: as files, without binary and empty ones.
text() { files "$@" | xargs -0 -r grep -IlZ '' -- || true; }

# over COMMAND...: runs a command with the names on standard input appended, and tolerates that there are none.
over() { xargs -0 -r "$@"; }

# list TITLE LIMIT: lines on standard input as a list, the first LIMIT of them; nothing when there is none.
list() {
  awk -v title="$1" -v limit="$2" '
    NR == 1 { print title "\n" }
    NR <= limit { print "- " $0 }
    END { if (NR > limit) print "- and " NR - limit " more"; if (NR) print "" }'
}

# A name for people: no control characters, nothing that Markdown would read.
# shellcheck disable=SC2034
awk_lib='
  function name(f) { sub(/^\.\//, "", f); gsub(/[[:cntrl:]]/, "?", f); gsub(/`/, "?", f); return "`" f "`" }
  function ext(f) {
    sub(/^.*\//, "", f)
    if (f !~ /.\.[A-Za-z0-9_+-]+$/) return "(none)"
    sub(/^.*\./, "", f); return tolower(f)
  }'

count() { awk 'END { print NR }' "$@"; }

#!/usr/bin/env bash
# Where the tests are, how many there are of each kind, and which command runs them.
. "$(dirname "$0")/common.sh"
begin "Tests"

found=$(mktemp "$out/.$step.XXXXXX")
trap 'rm -f "$section" "$values" "$found"' EXIT
text '*.bats' '*.cs' '*.go' '*.java' '*.js' '*.jsx' '*.kt' '*.py' '*.rb' '*.rs' '*.sh' '*.ts' '*.tsx' | over awk "$awk_lib"'
  BEGIN {
    mark["bats"] = "^@test "; mark["cs"] = "\\[(Fact|Theory|Test|TestCase|TestMethod|Property)[](,]"
    mark["go"] = "^func (Test|Benchmark|Fuzz)[A-Z_]"; mark["java"] = mark["kt"] = "^[ \t]*@(Test|ParameterizedTest)"
    mark["js"] = mark["jsx"] = mark["ts"] = mark["tsx"] = "^[ \t]*(it|test)(\\.[a-z]+)?\\("
    mark["py"] = "^[ \t]*(async )?def test_"; mark["rb"] = "^[ \t]*(it|test|def test_)[ \"\047a-z]"
    mark["rs"] = "^[ \t]*#\\[([a-z_]+::)?test"; mark["sh"] = "^(function )?test_[A-Za-z0-9_]+ *\\(\\)"
  }
  FNR == 1 { kind = ext(FILENAME); pattern = mark[kind] }
  $0 ~ pattern { tests[FILENAME]++ }
  END { for (file in tests) print kind_of(file) "\t" tests[file] "\t" name(file) }
  function kind_of(file) { return ext(file) }' > "$found"

sort -t "$(printf '\t')" -k2,2nr "$found" | awk -F '\t' '
  { n += $2; files++; per_kind[$1] += $2; if (NR <= 20) lines = lines "| " $3 " | " $2 " |\n" }
  END {
    if (!files) { print "No test was found.\n"; exit }
    printf "%d tests in %d files:", n, files
    for (kind in per_kind) printf " %d in %s files;", per_kind[kind], kind
    printf "\n\n| file | tests |\n|---|--:|\n%s\n", lines
  }'

has() { [ -n "$(files "$@" | tr '\0' x)" ]; }
runner=none
if has '*.sln' '*.slnx' '*.csproj' '*.fsproj'; then runner=dotnet
elif has Cargo.toml; then runner=cargo
elif has go.mod; then runner=go
elif has package.json && grep -q '"test" *:' package.json; then runner=npm
elif has Makefile && grep -qE '^(test|check) *:' Makefile; then runner=make
fi
printf 'Runner: %s.\n\n' "$runner"

tests=$(awk -F '\t' '{ n += $2 } END { print n + 0 }' "$found")
value tests "$tests"
value runner "$runner"
finish "$tests tests in $(count "$found") files, runner: $runner"

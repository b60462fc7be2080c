#!/usr/bin/env bash
# Whole processes in turn: jobeffekt measure and the rival query in DuckDB, A B A B ..., over the same files.
#   bench/compare.sh DATA [SHUFFLED [TEN]]
# The folders are those that generate.mjs writes: sorted, shuffled, and ten times as large; comparisons whose folder is not given
# are left out. RUNS (5) of each; figures go to OUT (bench/results.txt) and to standard output. Every comparison ends with the
# rival's cells held against ours. Needs node with `npm install` done in bench/, and GNU time.
set -euo pipefail
bench=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[[ -n ${1:-} ]] || { echo "usage: bench/compare.sh DATA [SHUFFLED [TEN]]; see bench/README.md" >&2; exit 2; }
for folder in "$@"; do
  [[ -f $folder/spells.parquet ]] || { echo "$folder holds no spells.parquet; see bench/README.md" >&2; exit 2; }
done
data=$(cd "$1" && pwd) shuffled=${2:+$(cd "$2" && pwd)} ten=${3:+$(cd "$3" && pwd)}
runs=${RUNS:-5} out=${OUT:-$bench/results.txt}
/usr/bin/time -f '%e %M' true 2>/dev/null || { echo "GNU time is missing: install the package 'time'" >&2; exit 1; }
command -v node >/dev/null || { echo "node is missing: see nodejs.org, or the package 'nodejs'" >&2; exit 1; }
(cd "$bench" && node -e "import('@duckdb/node-api').catch(() => process.exit(1))") || { echo "DuckDB is missing: run npm install in bench/" >&2; exit 1; }
source "$bench/measure.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$bench/.." && go build -o "$work/jobeffekt" ./cmd/jobeffekt)

# hashed SIDE: adds the seconds that the last run took to hash its inputs, as it logged them.
hashed() {
  sed -n 's/.*msg=inputs took=//p' "$work/$1.err" | sed -E 's/^([0-9.]+)ms$/\1 0.001/; s/^([0-9.]+)s$/\1 1/' | awk '{print $1 * $2}' >>"$work/$1.hash"
}

# compared NAME FOLDER RUN_FILE SHARE DAYS [FLAGS]: one comparison.
compared() {
  local name=$1 folder=$2 file=$3 share=$4 days=$5
  shift 5
  echo
  echo "== $name: $file, $(basename "$folder")"
  echo "run  side        wall time  processors  peak memory"
  rm -f "$work"/ours.* "$work"/rival.*
  for ((run = 1; run <= runs; run++)); do
    rm -rf "$work/results"
    measured ours "$work/jobeffekt" measure "$bench/$file" --data "$folder" --out "$work/results" --timings "$@"
    hashed ours
    measured rival node "$bench/rival.mjs" "$folder" "$(getconf _NPROCESSORS_ONLN)"
  done
  for side in ours rival; do
    awk -v side="$side" -v t="$(median $side 1)" -v c="$(median $side 2)" -v k="$(median $side 3)" \
      'BEGIN {printf "median of %-6s %6.2f s  %8.2f s  %6.0f MiB\n", side, t, c, k / 1024}'
  done
  local hash
  hash=$(sort -n "$work/ours.hash" | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}')
  awk -v t="$(median ours 1)" -v h="$hash" -v u="$(median rival 1)" -v m="$(median ours 3)" -v n="$(median rival 3)" \
    'BEGIN {printf "of ours, hashing of the inputs: %.2f s\nours / rival: %.2f in time (%.2f without hashing), %.2f in memory\n", h, t / u, (t - h) / u, m / n}'
  echo "$name $(median ours 1) $(median ours 3)" >>"$work/summary"
  node "$bench/check.mjs" "$work/rival.out" "$work/results" "$share" "$days"
}

{
  echo "$(date -u +%Y-%m-%d), $(go env GOVERSION) on $(go env GOOS)/$(go env GOARCH), $(getconf _NPROCESSORS_ONLN) cores, node $(node --version)"
  echo "load at the start: $(uptime | sed 's/.*load average[s]*: //')"
  compared cells "$data" jobeffekt.yaml employed_182d days_employed_364d --only cells
  compared six "$data" six.yaml employed_26w days_employed_52w --only cells
  compared rows "$data" jobeffekt.yaml employed_182d days_employed_364d
  if [[ -n $shuffled ]]; then
    compared shuffled "$shuffled" jobeffekt.yaml employed_182d days_employed_364d --only cells
  fi
  if [[ -n $ten ]]; then
    compared ten "$ten" jobeffekt.yaml employed_182d days_employed_364d --only cells
    awk '$1 == "cells" {t = $2; m = $3} $1 == "ten" {printf "ten / one, ours: %.1f in time, %.1f in memory\n", $2 / t, $3 / m}' "$work/summary"
  fi
} | tee "$out"

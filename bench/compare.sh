#!/usr/bin/env bash
# Whole processes in turn: jobeffekt measure (A) and the rival query in DuckDB (B), A B A B ... over the same files.
#   bench/compare.sh DATA [RUNS] [OUT]
# DATA is a folder that generate.mjs wrote; five RUNS of each unless told; figures go to the file OUT (bench/results.txt) and to
# standard output. Needs node with `npm install` done in bench/, and GNU time. The last run of each is held against the other.
set -euo pipefail
bench=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[[ -n ${1:-} && -f $1/spells.parquet ]] || { echo "usage: bench/compare.sh DATA [RUNS] [OUT]; DATA holds spells.parquet, see bench/README.md" >&2; exit 2; }
data=$(cd "$1" && pwd) runs=${2:-5} out=${3:-$bench/results.txt}
time=/usr/bin/time
"$time" -f '%e %M' true 2>/dev/null || { echo "GNU time is missing: install the package 'time' (on macOS gnu-time, and call it $time)" >&2; exit 1; }
command -v node >/dev/null || { echo "node is missing: see nodejs.org, or the package 'nodejs'" >&2; exit 1; }
(cd "$bench" && node -e "import('@duckdb/node-api').catch(() => process.exit(1))") || { echo "DuckDB is missing: run npm install in bench/" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$bench/.." && go build -o "$work/jobeffekt" ./cmd/jobeffekt)

# measured SIDE COMMAND...: runs it and appends "seconds kilobytes" to the side's figures.
measured() {
  local side=$1
  shift
  if ! "$time" -f '%e %M' -o "$work/last" "$@" >"$work/$side.out" 2>"$work/$side.err"; then
    cat "$work/$side.err" >&2
    return 1
  fi
  cat "$work/last" >>"$work/$side.figures"
  awk -v run="$run" -v side="$side" '{printf "%3d  %-9s  %8.2f s  %6.0f MiB\n", run, side, $1, $2 / 1024}' "$work/last"
}

# median SIDE COLUMN
median() {
  awk -v c="$2" '{print $c}' "$work/$1.figures" | sort -n | awk '{v[NR] = $1} END {print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'
}

{
  echo "$(date -u +%Y-%m-%d), $(go env GOVERSION) on $(go env GOOS)/$(go env GOARCH), $(getconf _NPROCESSORS_ONLN) cores, node $(node --version), $(basename "$data")"
  echo "load at the start: $(uptime | sed 's/.*load average[s]*: //')"
  echo "run  side       wall time   peak memory"
  for ((run = 1; run <= runs; run++)); do
    measured jobeffekt "$work/jobeffekt" measure "$bench/jobeffekt.yaml" --data "$data" --out "$work/results"
    measured rival node "$bench/rival.mjs" "$data" "$(getconf _NPROCESSORS_ONLN)"
  done
  for side in jobeffekt rival; do
    printf 'median of %-9s  %8.2f s  %6.0f MiB\n' "$side" "$(median $side 1)" "$(awk -v k="$(median $side 2)" 'BEGIN {print k / 1024}')"
  done
  awk -v t="$(median jobeffekt 1)" -v u="$(median rival 1)" -v m="$(median jobeffekt 2)" -v n="$(median rival 2)" \
    'BEGIN {printf "jobeffekt / rival:  %.2f in time, %.2f in memory\n", t / u, m / n}'
  node "$bench/check.mjs" "$work/rival.out" "$work/results"
} | tee "$out"

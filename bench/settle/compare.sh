#!/usr/bin/env bash
# Whole processes in turn: jobeffekt settle, and the same sum as one DuckDB query (rival.py).
#   bench/settle/compare.sh DATA [RUNS] [OUT]
# DATA is a folder that make.py wrote; the steps before are done in it where they are not there. Three RUNS of each unless told; figures go to the
# file OUT (bench/settle/results.txt) and to standard output. Needs GNU time and Python (PYTHON, else python3) with duckdb. The last lines are compared.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[[ -f ${1:-}/prices.csv ]] || { echo "usage: bench/settle/compare.sh DATA [RUNS] [OUT]; make.py writes DATA" >&2; exit 2; }
data=$(cd "$1" && pwd) runs=${2:-3} out=${3:-$here/results.txt} python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$here/../.." && go build -o "$work/jobeffekt" ./cmd/jobeffekt)
if [[ ! -f $data/results/benchmark.parquet ]]; then
  for step in measure estimate benchmark; do "$work/jobeffekt" "$step" "$data/jobeffekt.yaml" >/dev/null; done
fi

source "$here/../measure.sh"

{
  echo "$(date -u +%Y-%m-%d), $(go env GOVERSION) on $(go env GOOS)/$(go env GOARCH), $(getconf _NPROCESSORS_ONLN) cores, DuckDB $("$python" -c 'import duckdb; print(duckdb.__version__)')"
  echo "load at the start: $(uptime | sed 's/.*load average[s]*: //')"
  echo "run  side       wall time  processors  peak memory"
  for ((run = 1; run <= runs; run++)); do
    measured jobeffekt "$work/jobeffekt" settle "$data/jobeffekt.yaml"
    measured rival "$python" "$here/rival.py" "$data" "$data/results" "$work/rival.parquet"
  done
  awk -v t="$(median jobeffekt 1)" -v u="$(median rival 1)" -v c="$(median jobeffekt 2)" -v d="$(median rival 2)" -v m="$(median jobeffekt 3)" -v n="$(median rival 3)" \
    'BEGIN {printf "jobeffekt / rival, medians:  %.2f in wall time, %.2f in processors, %.2f in memory\n", t / u, c / d, m / n}'
  "$python" "$here/check.py" "$data/results" "$work/rival.parquet"
} | tee "$out"

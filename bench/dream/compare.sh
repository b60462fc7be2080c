#!/usr/bin/env bash
# Whole processes in turn: jobeffekt dream, the same conversion in DuckDB, and only its benefits there (rival.py).
#   bench/dream/compare.sh PANEL [RUNS] [OUT]
# PANEL is a file that generate.py wrote; three RUNS of each unless told; figures go to the file OUT (bench/dream/results.txt) and to standard
# output. Needs GNU time and Python (PYTHON, else python3) with duckdb. The last run of jobeffekt is held against the rival's rows.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[[ -f ${1:-} ]] || { echo "usage: bench/dream/compare.sh PANEL [RUNS] [OUT]; generate.py writes a PANEL" >&2; exit 2; }
panel=$(cd "$(dirname "$1")" && pwd)/$(basename "$1") runs=${2:-3} out=${3:-$here/results.txt} python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$here/../.." && go build -o "$work/jobeffekt" ./cmd/jobeffekt)
read -r persons weeks < <("$python" -c "
import duckdb, sys
names = [r[0] for r in duckdb.sql(f\"DESCRIBE SELECT * FROM read_parquet('{sys.argv[1]}')\").fetchall()]
print(duckdb.sql(f\"SELECT count(*) FROM read_parquet('{sys.argv[1]}')\").fetchall()[0][0], sum(n.startswith('y_') for n in names))" "$panel")

source "$here/../measure.sh"

{
  echo "$(date -u +%Y-%m-%d), $(go env GOVERSION) on $(go env GOOS)/$(go env GOARCH), $(getconf _NPROCESSORS_ONLN) cores, DuckDB $("$python" -c 'import duckdb; print(duckdb.__version__)'), $persons persons x $weeks weeks"
  echo "load at the start: $(uptime | sed 's/.*load average[s]*: //')"
  echo "run  side       wall time  processors  peak memory"
  for ((run = 1; run <= runs; run++)); do
    rm -rf "$work/ours" "$work/all" "$work/benefits"
    measured jobeffekt "$work/jobeffekt" dream "$panel" --out "$work/ours"
    measured all "$python" "$here/rival.py" "$panel" "$work/all"
    measured benefits "$python" "$here/rival.py" "$panel" "$work/benefits" benefits
  done
  for side in jobeffekt all benefits; do
    awk -v side="$side" -v t="$(median $side 1)" -v c="$(median $side 2)" -v m="$(median $side 3)" -v p="$persons" -v w="$weeks" \
      'BEGIN {printf "median of %-9s  %8.2f s  %8.2f s  %6.0f MiB  %9.0f rows/s  %12.0f weeks/s  (%.0f weeks per second of a processor)\n", side, t, c, m / 1024, p / t, p * w / t, p * w / c}'
  done
  "$python" "$here/check.py" "$work/ours/spells" "$work/all"
} | tee "$out"

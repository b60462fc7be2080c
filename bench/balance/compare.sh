#!/usr/bin/env bash
# The same weights in turn by this library (go), R and numpy.
#   bench/balance/compare.sh [RUNS] [ROWS] [COLUMNS] [OUT]
# Five RUNS of 990,000 comparators (ROWS) and 30 COLUMNS unless told; figures go to standard output and the file OUT
# (bench/balance/results.txt). Seconds are those of the balancing, by the clock and of all processors: on a busy machine only
# the processors' tell anything. Needs R, and Python (PYTHON, else python3) with numpy.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
runs=${1:-5} rows=${2:-990000} columns=${3:-30} out=${4:-$here/results.txt} python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" "$here/make.py" "$work" "$rows" "$columns"
(cd "$here" && go test -c -o "$work/go.test" .)
export BALANCE_DATA=$work

measured() {
  local side=$1
  shift
  "$@" >"$work/$side.out"
  awk '/^seconds/ {print $2, $3}' "$work/$side.out" >>"$work/$side.figures"
  tail -n 1 "$work/$side.figures" | awk -v run="$run" -v side="$side" '{printf "%3d  %-6s %8.3f s %8.3f s\n", run, side, $1, $2}'
}

median() { awk -v c="$2" '{print $c}' "$work/$1.figures" | sort -n | awk '{v[NR] = $1} END {print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }

{
  echo "$(go env GOVERSION) on $(go env GOOS)/$(go env GOARCH), $(Rscript -e 'cat(R.version.string)'), numpy $("$python" -c 'import numpy; print(numpy.__version__)'), $(getconf _NPROCESSORS_ONLN) cores, $rows rows, $columns columns"
  echo "load at the start: $(uptime | sed 's/.*load average[s]*: //')"
  echo "run  side     balancing  processors"
  for ((run = 1; run <= runs; run++)); do
    measured go "$work/go.test" -test.run '^$' -test.bench BenchmarkBalance -test.benchtime 1x
    measured R Rscript "$here/balance.R" "$work"
    measured numpy "$python" "$here/balance.py" "$work"
  done
  for what in clock processors; do
    column=$([[ $what == clock ]] && echo 1 || echo 2)
    awk -v g="$(median go "$column")" -v r="$(median R "$column")" -v n="$(median numpy "$column")" -v what="$what" \
      'BEGIN {printf "median by the %s: go %.3f, R %.3f, numpy %.3f; R / go %.1f, numpy / go %.1f\n", what, g, r, n, r / g, n / g}'
  done
  "$python" - "$work" <<'PY'
import sys
def read(side):
    return [[float(v) for v in l.split()[1:]] for l in open(f"{sys.argv[1]}/{side}.out") if l.startswith("lambda")][0]
for side in ("R", "numpy"):
    worst = max(abs(a - b) for a, b in zip(read("go"), read(side), strict=True))
    print(f"greatest difference of a coefficient, go and {side}: {worst:.1e}")
    assert worst < 1e-7
PY
} | tee "$out"

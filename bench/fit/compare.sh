#!/usr/bin/env bash
# The same logistic fit in turn by this library (go), R (glm) and numpy (Newton over blocks, BLAS): go R numpy go R numpy ...
#   bench/fit/compare.sh [RUNS] [ROWS] [COLUMNS] [OUT]
# Five RUNS of 1,000,000 ROWS and 30 COLUMNS unless told; figures go to standard output and the file OUT (bench/fit/results.txt).
# Seconds are those of the fit, by the clock and of all processors; memory is that of the whole process. On a busy machine
# only the processors' seconds tell anything. Needs R, GNU time, and Python (PYTHON, else python3) with numpy.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
runs=${1:-5} rows=${2:-1000000} columns=${3:-30} out=${4:-$here/results.txt} python=${PYTHON:-python3}
time=/usr/bin/time
"$time" -v true 2>/dev/null || { echo "GNU time is missing: install the package 'time'" >&2; exit 1; }
"$python" -c 'import numpy' || { echo "numpy is missing: say PYTHON=, the Python that has it" >&2; exit 1; }
command -v Rscript >/dev/null || { echo "R is missing: install r-base-core" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" "$here/make.py" "$work" "$rows" "$columns"
(cd "$here" && go test -c -o "$work/fit" .)
export FIT_DATA=$work

measured() {
  local side=$1
  shift
  "$time" -v -o "$work/last" "$@" >"$work/$side.out" 2>"$work/$side.err" || { cat "$work/$side.err" >&2; return 1; }
  awk '/^seconds/ {print $2, $3}' "$work/$side.out" | paste - <(awk '/Maximum resident/ {print $NF}' "$work/last") >>"$work/$side.figures"
  tail -n 1 "$work/$side.figures" | awk -v run="$run" -v side="$side" '{printf "%3d  %-6s %8.3f s %8.3f s %6.0f MiB\n", run, side, $1, $2, $3 / 1024}'
}

median() {
  awk -v c="$2" '{print $c}' "$work/$1.figures" | sort -n | awk '{v[NR] = $1} END {print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'
}

{
  echo "$(date -u +%Y-%m-%d), $(go env GOVERSION) on $(go env GOOS)/$(go env GOARCH), $(Rscript -e 'cat(R.version.string)'), numpy $("$python" -c 'import numpy; print(numpy.__version__)'), $(getconf _NPROCESSORS_ONLN) cores, $rows rows, $columns columns"
  echo "load at the start: $(uptime | sed 's/.*load average[s]*: //')"
  echo "run  side      the fit  processors  memory"
  for ((run = 1; run <= runs; run++)); do
    measured go "$work/fit" -test.run '^$' -test.bench BenchmarkFit -test.benchtime 1x
    measured R Rscript "$here/fit.R" "$work"
    measured numpy "$python" "$here/fit.py" "$work"
  done
  for side in go R numpy; do
    awk -v side="$side" -v t="$(median "$side" 1)" -v u="$(median "$side" 2)" -v m="$(median "$side" 3)" -v n="$rows" \
      'BEGIN {printf "median of %-6s %8.3f s %8.3f s %6.0f MiB  %5.0f bytes a row\n", side, t, u, m / 1024, m * 1024 / n}'
  done
  for what in clock processors; do
    column=$([[ $what == clock ]] && echo 1 || echo 2)
    awk -v g="$(median go "$column")" -v r="$(median R "$column")" -v n="$(median numpy "$column")" -v what="$what" \
      'BEGIN {printf "by the %s: R / go %.1f, numpy / go %.1f\n", what, r / g, n / g}'
  done
  # The three must agree.
  "$python" - "$work" <<'PY'
import sys
def coef(side):
    return [[float(v) for v in l.split()[1:]] for l in open(f"{sys.argv[1]}/{side}.out") if l.startswith("coef")][0]
go = coef("go")
for side in ("R", "numpy"):
    worst = max(abs(a - b) for a, b in zip(go, coef(side), strict=True))
    print(f"greatest difference of a coefficient, go and {side}: {worst:.1e}")
    assert worst < 1e-7 # R stops earlier
PY
} | tee "$out"

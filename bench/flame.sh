#!/usr/bin/env bash
# Draws where the processors' time goes, as a flame graph: SVG without a script, on standard output.
#   bench/flame.sh PROFILE [TITLE] >docs/flame.svg
# PROFILE is what go test -cpuprofile wrote, as by
#   JOBEFFEKT_BENCH=DATA go test -run '^$' -bench Cells -benchtime 20x -cpuprofile cpu.prof .
# Needs inferno-flamegraph (cargo install inferno).
set -euo pipefail
[[ -f ${1:-} ]] || { echo "usage: bench/flame.sh PROFILE [TITLE]" >&2; exit 2; }
command -v inferno-flamegraph >/dev/null || { echo "inferno-flamegraph is missing: cargo install inferno" >&2; exit 1; }

# A stack in pprof's traces stands between two rules, the innermost call first, with the time before it.
go tool pprof -traces -unit ms "$1" 2>/dev/null | awk '
  function flush(i, line) {
    if (n == 0) return
    for (i = n; i >= 1; i--) line = line (line == "" ? "" : ";") frame[i]
    if (value > 0) print line, value
    n = 0
  }
  /^-+\+-+$/ { flush(); open = 1; next }
  !open { next }
  {
    if (n == 0) { value = $1; sub(/ms$/, "", value); value = int(value + 0.5); $1 = "" }
    sub(/^ +/, ""); sub(/ \(inline\)$/, "")
    gsub(/github.com\/jobeffekt\/jobeffekt\//, ""); gsub(/github.com\//, ""); gsub(/;/, ",")
    if (length($0)) frame[++n] = $0
  }
  END { flush() }' | inferno-flamegraph --title "${2:-processors}" --countname ms --width 1200 --minwidth 0.4 --deterministic --no-javascript |
  awk '/<script/ {sub(/<script.*/, ""); print; inside = 1; next} inside && /<\/script>/ {sub(/.*<\/script>/, ""); inside = 0} !inside'

#!/usr/bin/env bash
# One municipality, one year: of files as they came, and of files that were arranged.
#   bench/narrow.sh DATA WORK
# DATA is what bench/generate.mjs writes; WORK is a folder that is made. Needs GNU time.
set -euo pipefail
cd "$(dirname "$0")/.."
data=$(realpath "$1") && mkdir -p "$2" && work=$(realpath "$2")
go build -o "$work/jobeffekt" ./cmd/jobeffekt
sed -e 's/^  from: .*/  period: 2008/; /^  to: /d' -e 's/^  take: each/  take: each\n  municipalities: ["101"]/' bench/jobeffekt.yaml > "$work/narrow.yaml"
timed() { echo "$1"; shift; /usr/bin/time -f '  %e s, %U + %S s of processors, %M KiB' "$@" 2>&1 >/dev/null | tail -1; }
[ -d "$work/arranged" ] || timed arrange "$work/jobeffekt" arrange "$data" --out "$work/arranged"
for _ in 1 2 3; do
  timed "measure, as they came" "$work/jobeffekt" measure "$work/narrow.yaml" --data "$data" --out "$work/a"
  timed "measure, arranged" "$work/jobeffekt" measure "$work/narrow.yaml" --data "$work/arranged" --out "$work/b"
done
for table in outcomes cases attrition counts; do cmp "$work/a/$table.parquet" "$work/b/$table.parquet"; done
JOBEFFEKT_ARRANGED="$work/arranged" go test ./ingest -run '^$' -bench Narrow -benchtime 5x

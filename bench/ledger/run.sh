#!/usr/bin/env bash
# Booking in one transaction, and the look at a whole ledger: bench/ledger/run.sh [RUNS], from anywhere.
# Prints each run, and at the end the processors' seconds of all of it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
binary=$(mktemp)
trap 'rm -f "$binary"' EXIT
go test -c -o "$binary" ./bonus/ledger
cd bonus/ledger
time "$binary" -test.run '^$' -test.bench . -test.benchtime 3x -test.count "${1:-5}"

#!/usr/bin/env bash
# Curves beside R's survfit on the same made cohort: bench/curves/compare.sh, from anywhere. Needs Rscript with survival.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
go test ./effect/survival -run TestCohort -bench AalenJohansen -benchtime 5x
Rscript bench/curves/curves.R 10000
Rscript bench/curves/curves.R 100000

package matching_test

import (
	"testing"

	"github.com/jobeffekt/jobeffekt/effect/effecttest"
	"github.com/jobeffekt/jobeffekt/effect/matching"
)

func TestLaws(t *testing.T) {
	effecttest.LawsOfModelledCell(t, matching.Default("age", "sex", "education", "weeks_employed_52", "weeks_on_sickness_benefit_52"), 1)
}

package weighting_test

import (
	"testing"

	"github.com/jobeffekt/jobeffekt/effect/effecttest"
	"github.com/jobeffekt/jobeffekt/effect/weighting"
)

func TestLaws(t *testing.T) {
	effecttest.LawsOfModelledCell(t, weighting.Default("age", "sex", "education", "weeks_employed_52", "weeks_on_sickness_benefit_52"), 0.1)
}

package hierarchical_test

import (
	"testing"

	"github.com/jobeffekt/jobeffekt/effect/effecttest"
	"github.com/jobeffekt/jobeffekt/effect/hierarchical"
)

func TestLaws(t *testing.T) {
	effecttest.Laws(t, hierarchical.Default("age", "sex", "education", "weeks_employed_52", "weeks_on_sickness_benefit_52"))
}

package jobeffekt_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/hierarchical"
	"github.com/jobeffekt/jobeffekt/effect/matching"
)

// Nothing is paid on a method that is there for description.
func TestTermsCannotPayOnDescriptiveMethods(t *testing.T) {
	for _, name := range []string{"matching", "ipw", "aipw", "hierarchical"} {
		c := job(t, "methods: [strata]", "methods: [strata, "+name+"]", "method: strata", "method: "+name)
		assert.ErrorContains(t, jobeffekt.Check(context.Background(), c), "which is for description only", name)
	}
}

// The keys of the run file reach the methods.
func TestOptionsOfDescriptiveMethods(t *testing.T) {
	c := job(t, "methods: [strata]", `methods: [matching, ipw, aipw, hierarchical]
  matching: {neighbours: 3, caliper: 0.2, exact: [{covariate: origin_country}]}
  intercepts: provider`)
	require.NoError(t, c.Validate())
	var names []string
	for _, m := range c.Methods() {
		names = append(names, m.Name())
		switch m := m.(type) {
		case matching.Method:
			assert.Equal(t, 3, m.Neighbours)
			assert.Equal(t, 0.2, m.Caliper)
			assert.Equal(t, []effect.Class{{Covariate: "origin_country"}}, m.Exact)
		case hierarchical.Method:
			assert.Equal(t, hierarchical.ByProvider, m.Group)
		}
	}
	assert.Equal(t, []string{"matching", "ipw", "aipw", "hierarchical"}, names)
	assert.Contains(t, c.IngestOptions().Covariates, "origin_country")
	c.Compare.Matching.Caliper, c.Compare.Matching.Neighbours = -1, -1
	c.Compare.Matching.Exact = []jobeffekt.Class{{Covariate: "age", Cuts: []float64{2, 1}}}
	err := c.Validate()
	for _, path := range []string{"compare.matching.caliper", "compare.matching.neighbours", "compare.matching.exact[0].cuts"} {
		assert.ErrorContains(t, err, path)
	}
}

package peer

import (
	"math"

	"github.com/jobeffekt/jobeffekt/effect"
)

// expectedShare is how far the expected shares of two municipalities lie apart,
//
//	d(a, b) = |expected_a - expected_b|
//
// in the unit that they are given in.
func expectedShare(t *table) closeness {
	if _, varies := t.columnOf(func(m Municipality) float64 { return m.Expected }); !varies {
		t.fault(effect.RefusalNoVariation, nil, "", "", "the expected share is the same in every municipality and cannot tell them apart")
	}
	return closeness{distance: func(a, b int) float64 { return math.Abs(t.all[a].Expected - t.all[b].Expected) }}
}

package nearest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/jobeffekt/jobeffekt/internal/nearest"
)

func TestOf(t *testing.T) {
	names := []string{"period", "take", "from", "to"}
	assert.Equal(t, "period", nearest.Of("perod", names))
	assert.Equal(t, "period", nearest.Of("PERIODS", names), "case does not count")
	assert.Equal(t, "take", nearest.Of("tkae", names))
	assert.Equal(t, "", nearest.Of("municipality", names))
	assert.Equal(t, "", nearest.Of("x", nil))
	assert.Equal(t, "a1", nearest.Of("a", []string{"a1", "a2"}), "the first of equals")
}

package ingest

import (
	"math"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"
	"github.com/parquet-go/parquet-go/format"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// DuckDB writes numbers of 32 bits, signed or not, with differences of up to 64: they are read as
// they are, and lengths so are damage.
func TestWideDifferences(t *testing.T) {
	for _, wide := range [][]int64{
		{math.MinInt32, math.MaxInt32, math.MinInt32, 0, 7, math.MaxInt32, -5},
		{math.MaxUint32, 0, math.MaxUint32, 17, 1 << 31},
	} {
		b, err := parquet.DeltaBinaryPacked.EncodeInt64(nil, wide)
		require.NoError(t, err)
		_, narrow, err := skipDeltas(b, len(wide))
		require.NoError(t, err)
		require.False(t, narrow)
		p := &pageReader{kind: encoding.Int32, typ: parquet.Int32Type, limits: DefaultLimits(), pageMemory: &pageMemory{}}
		got, err := p.deltas(b, len(wide), format.DeltaBinaryPacked)
		require.NoError(t, err)
		for i, v := range got.Int32() {
			assert.Equal(t, int32(wide[i]), v)
		}
		assert.Len(t, got.Int32(), len(wide))
		p = &pageReader{kind: encoding.ByteArray, typ: parquet.ByteArrayType, limits: DefaultLimits(), pageMemory: &pageMemory{}}
		for _, enc := range []format.Encoding{format.DeltaLengthByteArray, format.DeltaByteArray} {
			_, err = p.deltas(b, len(wide), enc)
			require.ErrorIs(t, err, ErrCorrupt)
		}
	}
}

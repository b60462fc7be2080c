package ledger_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/bonus/ledger"
)

// lookAt opens a file as a ledger and verifies it: refused where it cannot be opened.
func lookAt(path string) (problems int, err error) {
	l, err := ledger.Open(context.Background(), path, ledger.Default())
	if err != nil {
		return 0, err
	}
	defer l.Close()
	r, err := l.Verify(context.Background(), "")
	if err != nil {
		return 0, err
	}
	return len(r.Problems), nil
}

func documented(err error) bool {
	return errors.Is(err, ledger.ErrNotLedger) || errors.Is(err, ledger.ErrDamaged) || errors.Is(err, ledger.ErrNewer) || errors.Is(err, ledger.ErrBusy)
}

// TestMutantsLedger damages the file of a ledger: it is refused with a documented error, or
// verifying says what is wrong, or nothing that counts has changed.
func TestMutantsLedger(t *testing.T) {
	good, err := os.ReadFile(filled(t))
	require.NoError(t, err)
	n, refused, told, same := 40, 0, 0, 0
	if os.Getenv("JOBEFFEKT_FULL") != "" {
		n = 3000
	}
	page := int(binary.BigEndian.Uint16(good[16:]))
	path := filepath.Join(t.TempDir(), "ledger.db")
	var slowest time.Duration
	for i := range n {
		r := rand.New(rand.NewPCG(13, uint64(i)))
		b := bytes.Clone(good)
		at := r.IntN(len(b))
		switch r.IntN(6) {
		case 0: // where the file says what it is
			b[r.IntN(100)] ^= 1 << r.IntN(8)
		case 1: // where pages say what they hold
			b[min(len(b)-1, at/page*page+r.IntN(12))] ^= 1 << r.IntN(8)
		case 2:
			b[at] ^= 1 << r.IntN(8)
		case 3:
			b = b[:at]
		case 4:
			copy(b[at:min(len(b), at+1+r.IntN(200))], b[r.IntN(len(b)):])
		case 5:
			copy(b[at/page*page:], b[r.IntN(len(b)/page)*page:][:page])
		}
		require.NoError(t, os.WriteFile(path, b, 0o600))
		began := time.Now()
		problems, err := lookAt(path)
		slowest = max(slowest, time.Since(began))
		require.Less(t, time.Since(began), time.Minute)
		switch {
		case err != nil:
			require.True(t, documented(err), "mutant %d: %T %v", i, err, err)
			refused++
		case problems > 0:
			told++
		default:
			same++
		}
	}
	if folder := os.Getenv("JOBEFFEKT_MUTANTS"); folder != "" {
		text := fmt.Sprintf("| file | mutants | refused | verifying tells | nothing that counts changed | slowest |\n|---|---:|---:|---:|---:|---:|\n| ledger (SQLite) | %d | %d | %d | %d | %d ms |\n", n, refused, told, same, slowest.Milliseconds())
		require.NoError(t, os.WriteFile(filepath.Join(folder, "6-ledger.part"), []byte(text), 0o644))
	}
}

// A file of a format that SQLite does not know: byte 47 is the last of the schema's format
// number, which goes up to 4.
func TestUnknownFormatIsDamage(t *testing.T) {
	b, err := os.ReadFile(filled(t))
	require.NoError(t, err)
	b[47] = 100
	path := filepath.Join(t.TempDir(), "ledger.db")
	require.NoError(t, os.WriteFile(path, b, 0o600))
	_, err = lookAt(path)
	require.ErrorIs(t, err, ledger.ErrDamaged)
}

// FuzzLedger: whatever the bytes of the file.
func FuzzLedger(f *testing.F) {
	f.Add([]byte("SQLite format 3\x00"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "ledger.db")
		require.NoError(t, os.WriteFile(path, b, 0o600))
		if _, err := lookAt(path); err != nil {
			require.True(t, documented(err), "%T %v", err, err)
		}
	})
}

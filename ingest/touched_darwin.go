package ingest

import (
	"io/fs"
	"syscall"
	"time"
)

// touched is when the status of a file changed last, as it does with every change of
// what the file holds; zero where the system does not tell.
func touched(info fs.FileInfo) time.Time {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(s.Ctimespec.Unix())
	}
	return time.Time{}
}

// Package whole puts files and folders under their names whole or not at all, and
// keeps two programs from writing the same. What a program that was killed leaves is
// found by its name, and removed by the next that writes there, unless somebody holds it.
//
// What stands under its name lasts: files are synced before they are renamed, and the
// folder after it. Systems that cannot sync a folder, as Windows, do what they do.
package whole

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/gofrs/flock"
)

// Cure says what can be done about an error of writing in a folder; other errors,
// and those that say it already, stay as they are.
func Cure(err error, folder string) error {
	var cured *curedError
	if err == nil || errors.As(err, &cured) {
		return err
	}
	for _, c := range []struct {
		errs []error
		what string
	}{
		{[]error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG}, "make room for %s, or write to another folder; what stood there before is as it was"},
		{[]error{fs.ErrPermission, syscall.EROFS}, "give %s to who runs this, or write to another folder"},
		{[]error{syscall.EBUSY, syscall.EXDEV}, "%s, or what is to be written in it, is where another file system begins: name a folder within that"},
	} {
		for _, e := range c.errs {
			if errors.Is(err, e) {
				return &curedError{err, fmt.Sprintf(c.what, folder)}
			}
		}
	}
	return err
}

type curedError struct {
	error
	cure string
}

func (e *curedError) Error() string { return e.error.Error() + ": " + e.cure }
func (e *curedError) Unwrap() error { return e.error }

// HeldError says that another program holds a lock, and which as far as that can be told.
type HeldError struct {
	By string // "process 4711 on HOST", or empty
}

func (e *HeldError) Error() string {
	if e.By == "" {
		return "another program holds the lock"
	}
	return "another program holds the lock: " + e.By
}

// Lock is a file that one program holds at a time. The system lets it go when the
// program ends, however it ends.
type Lock struct{ file *flock.Flock }

// Take takes the lock of a path, whose file is made where it is not there. The error
// is a [*HeldError] where another program has it.
func Take(path string) (*Lock, error) {
	for range 1000 {
		// Who may write to the folder must not have somebody else's file written by a link, nor a pipe waited for.
		if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is a link, or something else that is no file: remove it", path)
		}
		l := &Lock{flock.New(path, flock.SetPermissions(0o600))}
		switch free, err := l.file.TryLock(); {
		case err != nil:
			return nil, Cure(err, filepath.Dir(path))
		case !free:
			return nil, &HeldError{Holder(path)}
		case l.Lost(): // who held it removed the file meanwhile
			_ = l.file.Close()
			continue
		}
		// Who holds it is for people: that another holds it is known by the lock alone.
		_ = os.WriteFile(path, []byte(me()), 0o600)
		return l, nil
	}
	return nil, fmt.Errorf("%s is removed again and again: see by whom", path)
}

// Free is a [*HeldError] where somebody has the lock of a path. It writes nothing.
func Free(path string) error {
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	lock := flock.New(path, flock.SetFlag(os.O_RDONLY))
	defer lock.Close()
	if free, err := lock.TryLock(); err == nil && !free {
		return &HeldError{Holder(path)}
	}
	return nil
}

// Lost says that the file of a lock that is held is no longer the one of its path: it
// keeps nobody out.
func (l *Lock) Lost() bool {
	held, err := l.file.Stat()
	now, errNow := os.Stat(l.file.Path())
	return err != nil || errNow != nil || !os.SameFile(held, now)
}

// Close lets others take the lock. The file stays.
func (l *Lock) Close() error { return l.file.Close() }

// Remove removes the file, and lets others take the lock.
func (l *Lock) Remove() error {
	if runtime.GOOS == "windows" { // where a file that is open cannot be removed
		_ = l.Close()
		_ = os.Remove(l.file.Path()) // best effort: another may have it already
		return nil
	}
	var err error
	if !l.Lost() {
		err = os.Remove(l.file.Path())
	}
	return errors.Join(err, l.Close())
}

// me is this process, as others are told of it.
func me() string {
	host, err := os.Hostname()
	if err != nil {
		return fmt.Sprintf("process %d\n", os.Getpid())
	}
	return fmt.Sprintf("process %d on %s\n", os.Getpid(), host)
}

// Holder is who last wrote to a lock's file, if it is something that a program of this
// kind writes.
func Holder(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	var process int
	var host string
	if n, _ := fmt.Fscanf(io.LimitReader(f, 1000), "process %d on %s", &process, &host); n == 0 {
		return ""
	}
	if host == "" {
		return fmt.Sprintf("process %d", process)
	}
	return fmt.Sprintf("process %d on %s", process, host)
}

// SyncFolder makes what was renamed or removed in a folder last.
func SyncFolder(folder string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(folder)
	if err != nil {
		return nil // one may write to a folder and not read it
	}
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil // some file systems have no such thing
	}
	return errors.Join(err, f.Close())
}

// Temporary says whether a name is one that a file of another name has in the making.
func Temporary(name, of string) bool { return Numbered(name, "."+of+mark) }

// Numbered says whether a name is a prefix with digits behind it, as temporary names are.
func Numbered(name, prefix string) bool {
	digits, ok := strings.CutPrefix(name, prefix)
	return ok && digits != "" && strings.Trim(digits, "0123456789") == ""
}

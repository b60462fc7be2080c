package whole

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/gofrs/flock"
)

// Folder is a folder that does not stand under its name yet. It stands beside its place,
// under a name that begins with a dot, and nobody else makes one of the same name meanwhile.
type Folder struct {
	Path string // where to write
	to   string
	lock *Lock
}

// mark is what stands in the names of folders in the making, so that nobody's own are
// taken for one.
const mark = ".jobeffekt-"

// former is what the name of a folder in the making ends in while the one in its place is moved away.
const former = ".old"

// NewFolder begins a folder, whose parents are made. What programs that were killed left
// of the same folder is removed, and one that they had moved away is put back. The error is a
// [*HeldError] where another program is making it.
func NewFolder(to string) (_ *Folder, err error) {
	if to, err = filepath.Abs(to); err != nil {
		return nil, err
	}
	parent, prefix := filepath.Dir(to), "."+filepath.Base(to)+mark
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, Cure(err, parent)
	}
	f := &Folder{to: to}
	if f.lock, err = Take(filepath.Join(parent, "."+filepath.Base(to)+".lock")); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = Cure(err, parent)
			_ = f.Drop() // why it could not be made is what matters
		}
	}()
	entries, err := os.ReadDir(parent)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		left := filepath.Join(parent, e.Name())
		name, moved := strings.CutSuffix(e.Name(), former)
		if !e.IsDir() || !Numbered(name, prefix) {
			continue
		}
		if _, err := os.Lstat(to); moved && errors.Is(err, fs.ErrNotExist) {
			err = os.Rename(left, to)
			if err != nil {
				return nil, err
			}
			continue
		}
		if err := os.RemoveAll(left); err != nil {
			return nil, err
		}
	}
	f.Path, err = os.MkdirTemp(parent, prefix+"*") // 0700
	return f, err
}

// Publish puts the folder in its place when the disk has everything in it. A folder that is
// there is replaced if that is asked for; else only an empty one is. Replacing takes two renames: for a moment the folder is not
// there, but never half of it.
func (f *Folder) Publish(replace bool) error {
	parent := filepath.Dir(f.to)
	if err := syncAll(f.Path); err != nil {
		return Cure(err, parent)
	}
	old := f.Path + former
	if _, err := os.Lstat(f.to); err == nil && replace {
		if err := os.Rename(f.to, old); err != nil {
			return Cure(err, parent)
		}
		if err := os.Rename(f.Path, f.to); err != nil {
			return Cure(errors.Join(err, os.Rename(old, f.to)), parent)
		}
		if err := SyncFolder(parent); err != nil {
			return Cure(err, parent)
		}
		if err := os.RemoveAll(old); err != nil {
			return Cure(err, parent)
		}
	} else {
		if runtime.GOOS == "windows" { // where a rename replaces no folder
			_ = os.Remove(f.to) // which it does to an empty one; else the rename fails
		}
		if err := os.Rename(f.Path, f.to); err != nil {
			return Cure(err, parent)
		}
		if err := SyncFolder(parent); err != nil {
			return Cure(err, parent)
		}
	}
	f.Path = ""
	return f.Drop()
}

// Drop removes what was not published, and lets others make the folder. It can be called again.
func (f *Folder) Drop() error {
	var err error
	if f.Path != "" {
		err = os.RemoveAll(f.Path)
		f.Path = ""
	}
	if f.lock != nil {
		err = errors.Join(err, f.lock.Remove())
		f.lock = nil
	}
	return err
}

// syncAll waits until the disk has every file and folder below a folder.
func syncAll(folder string) error {
	return filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return SyncFolder(path) // its names are there, what is below may follow
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0) // as some systems sync only what can be written
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
}

// Scratch makes a folder for temporary files, for its owner alone, where the system has
// such folders, and removes those of the same name that were left by programs that were
// killed. drop removes it.
func Scratch(name string) (folder string, drop func() error, err error) {
	const held = ".lock"
	parent := os.TempDir()
	entries, err := os.ReadDir(parent)
	if err != nil {
		entries = nil // it may be for writing alone
	}
	for _, e := range entries {
		if left := filepath.Join(parent, e.Name()); e.IsDir() && Numbered(e.Name(), name+"-") {
			removeLeft(left, held)
		}
	}
	for {
		made, err := os.MkdirTemp(parent, name+"-*") // 0700
		if err != nil {
			return "", nil, Cure(err, parent)
		}
		lock, err := Take(filepath.Join(made, held))
		if _, busy := errors.AsType[*HeldError](err); busy || errors.Is(err, fs.ErrNotExist) {
			continue // somebody took it for one that was left
		}
		if err != nil {
			return "", nil, errors.Join(err, os.RemoveAll(made))
		}
		// The lock goes last: a folder is never there without it.
		return made, func() error {
			if runtime.GOOS == "windows" {
				_ = lock.Close()
			}
			return errors.Join(os.RemoveAll(made), lock.Close())
		}, nil
	}
}

// removeLeft removes a temporary folder that nobody holds. What cannot be removed is
// somebody else's.
func removeLeft(folder, held string) {
	info, err := os.Lstat(filepath.Join(folder, held))
	if err != nil {
		_ = os.Remove(folder) // an empty one: it was left before it was held
		return
	}
	if !info.Mode().IsRegular() {
		return
	}
	lock := flock.New(filepath.Join(folder, held), flock.SetFlag(os.O_RDONLY))
	if free, err := lock.TryLock(); err != nil || !free {
		return
	}
	if runtime.GOOS == "windows" { // where what is open cannot be removed
		_ = lock.Close()
	}
	_ = os.RemoveAll(folder)
	_ = lock.Close()
}

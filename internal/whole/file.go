package whole

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/gofrs/flock"
)

// File is a file that does not stand under its name yet. It stands beside its place,
// under a name of a dot, its own, a mark and digits, and is locked while it does. It belongs to
// one goroutine.
type File struct {
	file           *os.File
	path           string
	mode           fs.FileMode
	hold           *flock.Flock
	finished, done bool
}

// Create begins a file, for its owner alone.
func Create(path string) (*File, error) {
	for {
		t, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+mark+"*") // 0600
		if err != nil {
			return nil, Cure(err, filepath.Dir(path))
		}
		f := &File{file: t, path: path, mode: 0o600}
		if f.held() {
			return f, nil
		}
		_ = f.Drop() // somebody removes what nobody holds just now, and took it for that
	}
}

// Replace is [Create], after what programs that were killed left of the same file is removed. Who makes
// many files in a folder of its own sweeps that once, and calls Create.
func Replace(path string) (*File, error) {
	if err := Sweep(filepath.Dir(path), func(name string) bool { return Temporary(name, filepath.Base(path)) }); err != nil {
		return nil, err
	}
	return Create(path)
}

// held locks the file under its present name.
func (f *File) held() bool {
	if runtime.GOOS == "windows" { // where what is open cannot be removed, nor written while it is locked
		return true
	}
	f.hold = flock.New(f.file.Name(), flock.SetFlag(os.O_RDONLY))
	free, err := f.hold.TryLock()
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist) // some file systems lock nothing
	}
	return free && !(&Lock{f.hold}).Lost()
}

// Write writes to the file.
func (f *File) Write(b []byte) (int, error) {
	n, err := f.file.Write(b)
	return n, Cure(err, filepath.Dir(f.path))
}

// Finish says that everything is written, and waits until the disk has it. What
// follows is Publish or Drop.
func (f *File) Finish() error {
	if f.finished {
		return nil
	}
	var err error
	if f.mode != 0o600 {
		err = f.file.Chmod(f.mode)
	}
	if err = errors.Join(err, f.file.Sync(), f.file.Close()); err == nil {
		f.finished = true
	}
	return Cure(err, filepath.Dir(f.path))
}

// Publish puts the file in its place, in place of one that is there. That it lasts is
// for [SyncFolder] to say.
func (f *File) Publish() error {
	if err := f.Finish(); err != nil {
		return err
	}
	if err := os.Rename(f.file.Name(), f.path); err != nil {
		return Cure(err, filepath.Dir(f.path))
	}
	f.done = true
	f.letGo()
	return nil
}

// Drop removes what was not published.
func (f *File) Drop() error {
	if f.done {
		return nil
	}
	f.done = true
	_ = f.file.Close() // it may be closed already
	err := os.Remove(f.file.Name())
	f.letGo()
	return err
}

func (f *File) letGo() {
	if f.hold != nil {
		_ = f.hold.Close() // the end of the process would do it
	}
}

// Write writes a file whole or not at all, with a mode, in place of one that is there.
func Write(path string, mode fs.FileMode, content []byte) error {
	f, err := Replace(path)
	if err != nil {
		return err
	}
	f.mode = mode
	_, err = f.Write(content)
	if err == nil {
		err = f.Publish()
	}
	if err != nil {
		_ = f.Drop() // best effort: what is left is a temporary file
		return err
	}
	return SyncFolder(filepath.Dir(path))
}

// Sweep removes the files of a folder whose names match and that nobody holds.
func Sweep(folder string, match func(name string) bool) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return Cure(err, folder)
	}
	for _, e := range entries {
		if !match(e.Name()) || !e.Type().IsRegular() {
			continue
		}
		name := filepath.Join(folder, e.Name())
		if runtime.GOOS == "windows" {
			_ = os.Remove(name) // which it does where nobody has it open
			continue
		}
		lock := flock.New(name, flock.SetFlag(os.O_RDONLY))
		free, err := lock.TryLock()
		if err != nil || !free {
			continue // another has it, or it is another's
		}
		if !(&Lock{lock}).Lost() {
			err = os.Remove(name)
		}
		_ = lock.Close()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Cure(err, folder)
		}
	}
	return nil
}

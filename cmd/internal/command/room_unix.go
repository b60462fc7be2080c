//go:build linux || darwin

package command

import (
	"fmt"
	"syscall"
)

// freeAt says how much is free in a folder that is there, for who runs this.
func freeAt(folder string) (room, error) {
	const write, enter = 2, 1
	if err := syscall.Access(folder, write|enter); err != nil {
		return room{}, fmt.Errorf("out: %s cannot be written to (%w): give it to who runs this, or name another folder under out", folder, err)
	}
	var s syscall.Statfs_t
	if err := syscall.Statfs(folder, &s); err != nil {
		return room{}, nil // some file systems do not say
	}
	return room{true, s.Bavail * uint64(s.Bsize)}, nil
}

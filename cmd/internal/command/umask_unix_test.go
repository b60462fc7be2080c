//go:build unix

package command

import "syscall"

// openUmask lets every mode through, until the function that it returns is called.
func openUmask() func() {
	old := syscall.Umask(0)
	return func() { syscall.Umask(old) }
}

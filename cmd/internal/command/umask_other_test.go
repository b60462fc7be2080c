//go:build !unix

package command

func openUmask() func() { return func() {} }

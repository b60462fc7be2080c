// Package demo is the demonstration: a simulated dataset with its run file and
// terms, embedded in the command.
package demo

import "embed"

// The dataset is the world named demo; a test of the command holds it to that. The
// program that makes it embeds the one before.
//
//go:generate rm -rf data.new
//go:generate go run .. synth --world demo --truth-for 751 data.new
//go:generate rm -rf data
//go:generate mv data.new data

// Files holds the run file, the terms with their spec and seals, and the folder data.
//
//go:embed *.yaml data
var Files embed.FS

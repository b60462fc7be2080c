package main

import (
	"embed"
	"io/fs"
)

// The dataset is the world named demo; TestDemoData holds it to that.
//
//go:generate rm -rf demo/data
//go:generate go run . synth --world demo --truth-for 751 demo/data

//go:embed demo
var embedded embed.FS

func demoFiles() fs.FS {
	sub, err := fs.Sub(embedded, "demo")
	if err != nil {
		panic(err) // the path is constant and valid
	}
	return sub
}

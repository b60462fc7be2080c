// Command convert writes the claims of the Pennsylvania Reemployment Bonus
// experiment as a dataset of the data contract:
//
//	go run ./examples/penn/convert FOLDER
package main

import (
	"fmt"
	"os"

	"github.com/jobeffekt/jobeffekt/examples/penn"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: convert FOLDER")
		os.Exit(2)
	}
	if err := penn.Write(os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "convert: %v\n", err)
		os.Exit(1)
	}
}

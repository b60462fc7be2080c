// Command jobeffekt measures employment effects, benchmarks them and settles
// results bonuses, as a batch over Parquet. It is a thin cover over the package
// jobeffekt: flags, files and printing.
package main

import "github.com/jobeffekt/jobeffekt/cmd/internal/command"

func main() { command.Main(command.Options{}) }

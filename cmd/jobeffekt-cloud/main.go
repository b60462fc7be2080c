// Command jobeffekt-cloud is the command jobeffekt, whose data may also lie in an
// object store: s3://bucket/folder, gs://bucket/folder, azblob://container/folder or
// file:///folder, in the run file under data or after --data. It is a module of its
// own, so that jobeffekt itself needs none of the stores' libraries.
package main

import (
	"github.com/jobeffekt/jobeffekt/cmd/internal/command"
	"github.com/jobeffekt/jobeffekt/cmd/jobeffekt-cloud/store"
)

func main() {
	command.Main(command.Options{Name: "jobeffekt-cloud", Open: store.DefaultOptions().Open})
}

// Command sensor prints the events of a ring in shared memory, or those of a
// command that it starts under pdig.
package main

import (
	"os"

	"github.com/pdig/pdig/sensor/cmdline"
)

func main() { cmdline.Host{}.Main(os.Args[1:]) }

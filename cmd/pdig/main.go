// Command pdig runs a command and writes an event for each of its system calls
// into a ring in shared memory.
package main

import "github.com/pdig/pdig/tracer/cmdline"

func main() { cmdline.Main() }

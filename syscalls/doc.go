// Package syscalls is the one source of truth about events and system calls:
// which events exist and what their parameters are, which event each system
// call of each architecture produces at which schema ceiling, what has to be
// captured of a call to fill the event, and the names of all flags.
//
// The facts stand in table/*.txt, one line an event, a system call or a flag.
// `go generate` turns them into arrays that are indexed by number
// (z*.go) and into docs/syscalls.md. Everything here is constant; nothing
// allocates and everything may be used from any goroutine.
package syscalls

//go:generate go run ./gen

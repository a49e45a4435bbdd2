// Package tracer follows a command and all its descendants with ptrace and a
// seccomp filter, or processes that run already without one, and writes one
// record for each half of each system call that is wanted, into a [Sink].
//
// Times in records are nanoseconds since the Unix epoch, integers are in host
// byte order. Everything is called from one goroutine, which is locked to its
// thread: ptrace relations belong to a thread. What is read of a tracee, its
// registers, its memory and its files in /proc, is hostile: it is bounded and
// checked, and it may change between two looks. A tracee can die at any moment,
// so every ptrace request may fail with ESRCH; that is never an error, the
// next wait tells what happened.
//
// The way of a stop: loop.go waits and sorts (every.go where there is no
// filter), call.go makes the two halves of a call out of the stops, encode.go
// fills the parameters as the table says, and the files named after what they
// know (files.go, sockets.go, process.go, exec.go) hold the named functions of
// the table.
package tracer

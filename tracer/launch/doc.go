// Package launch makes the process that was started become the command, and a
// copy of that process the tracer.
//
// A program whose ELF entry is the symbol _pdig_start of this package (linked
// with -ldflags='-E _pdig_start') begins in assembly, before the Go runtime:
//
//   - It maps the region, a piece of memory that stays shared, and calls
//     clone without flags and without an exit signal. The copy leaves the
//     session and goes on as the Go program: it is the tracer.
//   - The original process stays in assembly, without a stack of its own,
//     and waits until the tracer opens the gate. Then it carries out the script,
//     a list of system calls that the tracer has written into the region. One
//     of them is the execve of the command.
//
// So the command has the pid, parent, session, job, signal state, limits,
// environment, descriptors, locks and children that the process was started
// with, and its end is seen by whoever started it, without a middleman. The
// exit signal of the tracer is 0 because a wait without __WALL or __WCLONE
// does not see such a child: the command finds no child that it has not made.
// The exec of the parent keeps that; an exec of the tracer, or having another
// process between the two, would not, so the tracer never executes anything.
//
// Memory other than the region is copied when the two part: the addresses on
// the initial stack are the same in both, but what the tracer writes there
// stays its own. The original process can be told apart by nobody: it is
// trusted as far as it is still in assembly; once it has executed the command
// nothing that it does reaches this package.
//
// The package does no ptrace call. The order for a caller is [Self], [Start],
// [IgnoreSignals], [Resolve], [Original.Wait], [Original.Load], its own
// PTRACE_SEIZE, [Original.Run]; at the first stops [Original.Outcome] and
// [Original.Refused], and after the exec [Original.ReleaseInherited]. All of
// them are for one goroutine at a time.
package launch

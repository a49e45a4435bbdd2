package tracer

import (
	"bytes"
	"time"

	"golang.org/x/sys/unix"
)

// execPatience is how long somebody is waited for who executes a program. It takes that
// long if the program is on a slow server, or a thread that has to end for it is held by
// another tracer.
const execPatience = 5 * time.Second

// rested waits until no thread of a process executes a program. Until then the kernel
// would hold a request to trace one of them, and with it the tracer and everybody who is
// traced already: see seize. It reports whether it has come to that.
func (s *seizure) rested(pid int) bool {
	for begin := time.Now(); s.executing(pid); time.Sleep(time.Millisecond) {
		s.t.catchUp()
		// Who comes from outside is tried again, and may be in the middle of others' calls.
		if s.adopts || s.t.leaving.Load() || time.Since(begin) > execPatience {
			return false
		}
	}
	return true
}

// executing reports whether a thread of a process waits in an exec. Programs of other
// ABIs, whose numbers of calls are others, are not found out.
func (s *seizure) executing(pid int) (some bool) {
	s.besides(func() { // before Linux 5.10 the file is held by an exec, too
		for _, tid := range tids(pid) {
			nr, _, waits := bytes.Cut(s.t.proc.read(tid, "syscall"), []byte(" "))
			if n := decimal(nr); waits && (n == unix.SYS_EXECVE || n == unix.SYS_EXECVEAT) {
				some = true
			}
		}
	})
	return some
}

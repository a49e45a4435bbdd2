package tracer

import (
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/shm"
	"github.com/pdig/pdig/syscalls"
)

// A reader that comes while threads live knows nothing of them, and where it
// is in a container of its own, /proc tells it nothing. So before the first event of
// a thread it gets one as of the thread's birth, with a flag that says that the
// thread has lived before. Other programs in the tracer's pid namespace have
// looked for themselves, and get none.

// announce tells a new reader of th, and of the process that th belongs to.
func (t *Tracer) announce(th *thread) {
	known := th.known
	th.known = t.sink.Reader()
	if th.known == 0 || t.root != nil || known == th.known {
		return
	}
	flags := uint64(0)
	if th.tid != th.proc.pid {
		flags = unix.CLONE_THREAD | unix.CLONE_VM | unix.CLONE_SIGHAND | unix.CLONE_FS | unix.CLONE_FILES
		if leader := t.table.get(th.proc.pid); leader != nil {
			t.announce(leader)
		}
	}
	again := &thread{tid: th.tid, proc: th.proc, known: th.known, announced: true}
	again.call.begin()
	again.call.spec, again.call.flags, again.call.arch = &t.specs.unknown, flags, abis[0].audit
	t.emit(again, again.tid, syscalls.CloneX, shm.Vital)
}

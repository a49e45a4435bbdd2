package tracer

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/procfs"
	"github.com/pdig/pdig/internal/sys"
)

// A thread has one tracer. With [Config.Release] whoever is about to get another
// one is let go of, with all threads of its process; its further children belong
// to the other tracer. What it has made before stays, as it would for strace: that
// has to be asked for by itself.
//
// There is no filter then. No process gets rid of one, and the calls that it
// stops would fail below a tracer that does not ask for such stops.

// handOver lets go of the process that the call of ptrace is about at whose entry
// th stands. It reports whether that is th itself.
func (t *Tracer) handOver(th *thread) bool {
	switch pid := int(int32(th.call.args[1])); th.call.args[0] {
	case unix.PTRACE_TRACEME:
		t.handOverAll(th.proc, th)
		return t.traceMe(th)
	case unix.PTRACE_ATTACH, unix.PTRACE_SEIZE:
		if to := t.lookup(th.proc, pid); to != nil && to.proc != th.proc && t.mayTrace(th.tid, to.tid) {
			t.handOverAll(to.proc, nil)
		}
	}
	return false
}

// lookup finds the thread that has a number in the pid namespace of p, nil if there
// is none or it is in a namespace below that.
func (t *Tracer) lookup(p *process, pid int) *thread {
	if !p.nested {
		return t.table.get(pid)
	}
	var own, its unix.Stat_t
	if unix.Stat(procPath(p.pid, "ns/pid"), &own) != nil {
		return nil
	}
	for _, th := range t.table.threads {
		if th.proc.nested && innerPID(th.tid, &t.proc) == pid &&
			unix.Stat(procPath(th.tid, "ns/pid"), &its) == nil && its.Ino == own.Ino {
			return th
		}
	}
	return nil
}

// mayTrace reports whether the kernel would let thread from trace thread to, as
// far as that can be seen: nobody gets rid of us by asking for what is not
// permitted.
func (t *Tracer) mayTrace(from, to int) bool {
	var self, other procStatus
	if !self.read(from, &t.proc) || !other.read(to, &t.proc) || procfs.Yama() == 3 {
		return false
	}
	if self.capEff>>unix.CAP_SYS_PTRACE&1 != 0 && governs(from, to) {
		return true
	}
	self.uid, self.gid = self.realUID, self.realGID // PTRACE_MODE_REALCREDS
	return procfs.Yama() < 2 && self.stranger(&other) == "" && dumpable(to, &other) && other.capPrm&^self.capPrm == 0
}

// handOverTime is how long the threads of a process are waited for that have to
// stop. One that waits for a child (vfork) or for a device may take longer; it is
// not let go of, and the other tracer is refused.
const handOverTime = time.Second

// handOverAll lets go of all threads of p but self, and says so.
func (t *Tracer) handOverAll(p *process, self *thread) {
	if !t.letGoOf(p, self) {
		return
	}
	if t.handedOver++; t.handedOver == 1 {
		t.log.Warn().Int("pid", p.pid).Msg("process handed over to another tracer: its further calls and children are not recorded; more such processes are counted")
	}
}

// letGoOf lets go of all threads of p but self. It reports whether they have stopped
// for that.
func (t *Tracer) letGoOf(p *process, self *thread) bool {
	t.handleTurn() // a thread of p may have stopped, and waits for its turn
	for start := time.Now(); ; time.Sleep(50 * time.Microsecond) {
		left := 0
		for _, tid := range tids(p.pid) {
			if th := t.table.get(tid); th != nil && th != self && th.proc == p && !t.zombie(tid) {
				t.part(th)
				left++
			}
		}
		if left == 0 {
			return true
		}
		if time.Since(start) > handOverTime {
			t.log.Warn().Int("pid", p.pid).Int("threads", left).Msg("not let go of: threads do not stop")
			return false
		}
	}
}

// part has th stop and, at the first stop that it can be let go of in, does that.
// The others are handled as ever.
func (t *Tracer) part(th *thread) {
	if !th.seized {
		th.seized = true
		_ = sys.Ptrace(unix.PTRACE_INTERRUPT, th.tid, 0, 0)
	}
	var status uint32
	if tid, errno := sys.WaitFor(th.tid, &status, unix.WNOHANG); errno != 0 || tid == 0 {
		return
	}
	th.parts = t.mayPart(th, status)
	t.handle(report{th.tid, status})
	if th.parts && t.table.get(th.tid) == th {
		t.forget(th)
	}
}

// mayPart reports whether th can be let go of in a stop without any harm. Whoever
// is let go of at the entry of a call would carry it out as if a signal had come.
func (t *Tracer) mayPart(th *thread, status uint32) bool {
	switch {
	case !unix.WaitStatus(status).Stopped():
		return false
	case eventOf(status) == 0 && signalOf(status) == callStop:
		return t.in.Get(th.tid) == 0 && t.in.Op == sys.SyscallExit
	}
	return eventOf(status) == 0 || eventOf(status) == unix.PTRACE_EVENT_STOP
}

// traceMe lets go of th, at the entry of the call that makes its parent its
// tracer, and tells the result of that. It returns false if th has died.
func (t *Tracer) traceMe(th *thread) bool {
	if t.table.get(th.tid) != th || sys.Ptrace(unix.PTRACE_DETACH, th.tid, 0, 0) != 0 {
		return false
	}
	th.call.ret = t.nowTraced(th.tid)
	t.finish(th)
	t.forget(th)
	return true
}

// nowTraced is the result of a PTRACE_TRACEME that thread tid is about to make. Who
// ends meanwhile, or has a parent in another pid namespace, does not show it.
func (t *Tracer) nowTraced(tid int) int64 {
	for start := time.Now(); time.Since(start) < handOverTime; time.Sleep(50 * time.Microsecond) {
		running := t.inState(tid, 'R')
		var st procStatus
		switch {
		case !st.read(tid, &t.proc), st.tracer != 0, st.ppid == 0:
			return 0
		case !running: // it has gone on to something else
			return -int64(unix.EPERM) // by a filter of its own, or a security module
		}
	}
	return 0
}

// forget takes a living thread that is none of ours any more from the tables.
func (t *Tracer) forget(th *thread) {
	p := th.proc
	if !th.exited {
		th.exited = true
		p.live--
	}
	t.giveText(&th.call)
	t.table.remove(th)
	if p.threads > 0 {
		return
	}
	for _, other := range t.table.threads {
		if other.proc.up == p {
			other.proc.descend(nil, p.pid)
		}
	}
	if p.root {
		t.summarize()
	}
}

// outlast waits for the end of a command that was handed over. Its tracer is a
// child of it, whose death it would notice.
func (t *Tracer) outlast() {
	for t.handedOver > 0 && unix.Getppid() == t.rootPID {
		time.Sleep(promptly)
	}
}

// sayHandedOver logs how many processes were handed over.
func (t *Tracer) sayHandedOver() {
	if t.handedOver > 0 {
		t.log.Info().Int("processes", t.handedOver).Msg("handed over to other tracers")
	}
}

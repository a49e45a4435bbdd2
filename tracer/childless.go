package tracer

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/procfs"
	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/syscalls"
)

// The tracer is a child of the command, without an exit signal: a wait with
// __WALL or __WCLONE sees it. Programs that look after clones wait like that
// until there is no child left (strace does), and would wait for their own
// tracer. So such a wait of the command gets ECHILD where it natively would: at
// its entry, or, when the last child goes otherwise while it waits, after it has
// been made to begin again.

// seesClones are the options of a wait with which it sees the tracer.
const seesClones = unix.WALL | unix.WCLONE

// childless ends the wait at whose entry th stands if nobody but the tracer
// could be waited for.
func (t *Tracer) childless(th *thread) {
	c := &th.call
	name := syscalls.Calls[c.spec.index].Name
	options := uint32(c.args[someOf[name][0].Argument])
	anybody := int32(c.args[0]) == -1
	if name == "waitid" {
		anybody = uint32(c.args[0]) == unix.P_ALL
	}
	if !th.proc.root || !anybody || options&seesClones == 0 {
		return
	}
	th.awaits = true
	threads := []int{th.tid}
	if options&unix.WNOTHREAD == 0 {
		threads = tids(th.proc.pid)
	}
	found := false
	for _, child := range t.children(th.proc.pid, threads) {
		switch {
		case child == os.Getpid():
			found = true
		case options&unix.WALL != 0, t.clone(child):
			return
		}
	}
	if found && !t.tracing(th.proc) { // whoever has attached to a process waits for that too
		th.awaits = false
		skipCall(th.tid, -int64(unix.ECHILD))
	}
}

// childGone makes waits of the command that see the tracer begin again.
func (t *Tracer) childGone() {
	for _, th := range t.table.threads {
		if th.awaits {
			_ = sys.Ptrace(unix.PTRACE_INTERRUPT, th.tid, 0, 0)
		}
	}
}

// tracing reports whether process p has tracees that it has attached to, or that
// these have made.
func (t *Tracer) tracing(p *process) bool {
	if p.tracee == 0 || t.traces(p.pid, p.tracee) {
		return p.tracee != 0
	}
	p.tracee = 0
	root, _ := procfs.Root()
	entries, _ := os.ReadDir(root)
	for _, e := range entries {
		pid, _ := strconv.Atoi(e.Name())
		for _, tid := range tids(pid) {
			if t.traces(p.pid, tid) {
				p.tracee = tid
				return true
			}
		}
	}
	return false
}

// traces reports whether a thread of process pid traces thread tid.
func (t *Tracer) traces(pid, tid int) bool {
	var st procStatus
	if !st.read(tid, &t.proc) || st.tracer == 0 {
		return false
	}
	tracer := st.tracer
	return tracer == pid || st.read(tracer, &t.proc) && st.tgid == pid
}

// tids are the threads of a process.
func tids(pid int) (list []int) {
	entries, _ := os.ReadDir(procPath(pid, "task"))
	for _, e := range entries {
		if tid, err := strconv.Atoi(e.Name()); err == nil {
			list = append(list, tid)
		}
	}
	return list
}

// children are the children of threads of a process, whether they live or not. A kernel
// without CONFIG_PROC_CHILDREN does not tell whose they are: then those of all its threads.
func (t *Tracer) children(pid int, threads []int) (list []int) {
	for _, tid := range threads {
		content, err := os.ReadFile(procPath(pid, "task/"+strconv.Itoa(tid)+"/children"))
		if err != nil {
			return t.byParent()[pid]
		}
		for f := range bytes.FieldsSeq(content) {
			list = append(list, int(decimal(f)))
		}
	}
	return list
}

// byParent are all processes, by their parents.
func (t *Tracer) byParent() map[int][]int {
	children := map[int][]int{}
	dir, _ := procfs.Root()
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		var st procStatus
		if pid, err := strconv.Atoi(e.Name()); err == nil && st.read(pid, &t.proc) {
			children[st.ppid] = append(children[st.ppid], pid)
		}
	}
	return children
}

// clone reports whether a process sends another signal than SIGCHLD at its
// end, or none.
func (t *Tracer) clone(pid int) bool {
	const exitSignal = 38
	_, f := splitStat(t.proc.read(pid, "stat"))
	return statField(f, exitSignal) != uint64(unix.SIGCHLD)
}

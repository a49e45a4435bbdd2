package state

// orphaned gives the children of a process to who has taken them at its end: a thread
// of another process, as far as the source of the event knows one.
func (t *Table) orphaned(h half) {
	reaper, _ := h.int(fieldReaper)
	gone := t.cur.PID
	switch {
	case gone <= 0:
	case t.cfg.Sysdig && t.newest():
		t.adopted(reaper)
	case reaper <= 0 || t.cfg.Sysdig: // sysdig 0.29.3 keeps who has begun them
	default:
		if th := t.threads[reaper]; th != nil {
			reaper = th.PID
		}
		t.give(gone, reaper)
	}
}

// give makes the children of one process those of another.
func (t *Table) give(from, to int64) {
	if from == to || t.children[from] == 0 {
		return
	}
	for _, th := range t.threads {
		if th.PTID == from {
			t.childOf(th, to)
		}
	}
}

// childOf makes a thread one of a child of a process. Most processes end without children,
// and to look for those among all threads of a machine would take long each time.
func (t *Table) childOf(th *Thread, pid int64) {
	if t.threads[th.TID] == th {
		t.countChild(th.PTID, -1)
		t.countChild(pid, +1)
	}
	th.PTID = pid
}

func (t *Table) countChild(of int64, n int) {
	if n += t.children[of]; n > 0 && of >= 0 {
		t.children[of] = n
	} else {
		delete(t.children, of)
	}
}

// adopted is orphaned as today's libsinsp has it, which guesses who has taken them if it
// does not know the thread that is told, or none is: a thread that is left, the nearest
// ancestor that takes orphans, or nobody.
func (t *Table) adopted(reaper int64) {
	gone := t.cur
	if gone.PTID < 0 {
		return // nothing is known of it, and so not that it has children
	}
	var by *Thread
	if reaper > 0 {
		if by = t.threads[reaper]; by == nil && t.hasChildren(gone.PID) {
			t.taker = reaper
		}
	}
	if by == nil || by.PTID < 0 {
		if t.outlived(gone) {
			return
		}
		by = t.reaper(gone)
	}
	if by == nil && t.children[gone.PID] > 0 {
		for _, th := range t.threads {
			if th.PTID == gone.PID {
				th.orphan = true
			}
		}
	}
	if by == nil {
		return
	}
	if by.PID != gone.PID {
		by.main().reaps = true
	}
	t.give(gone.PID, by.PID)
}

// hasChildren reports whether a process has any that are known.
func (t *Table) hasChildren(pid int64) bool {
	if t.children[pid] == 0 {
		return false
	}
	for _, th := range t.threads {
		if th.PTID == pid && !th.orphan {
			return true
		}
	}
	return false
}

// outlived reports whether other threads of a thread's process live.
func (t *Table) outlived(th *Thread) bool {
	l := th.main()
	if l == th {
		return th.members > 0
	}
	return l.members > 1 || !l.exited
}

// reaper is the nearest ancestor that takes orphans: the first process of a pid namespace,
// one that has asked for it, or one that has done so before.
func (t *Table) reaper(th *Thread) *Thread {
	inside := th.inNamespace()
	for range maxAncestors {
		if th = t.Parent(th.main()); th == nil || th.inNamespace() != inside {
			return nil
		}
		if l := th.main(); l.PID == 1 || l.VPID == 1 || l.reaps {
			return th
		}
	}
	return nil
}

// inNamespace reports whether a thread has another number in a pid namespace of its own.
func (th *Thread) inNamespace() bool { return th.VTID != 0 && th.VTID != th.TID }

// Options of prctl.
const (
	prSetChildSubreaper = 36
	prGetChildSubreaper = 37
)

// prctl follows who asks for orphans.
func (t *Table) prctl(c *call) {
	option, _ := c.int(fieldOption)
	if value, ok := c.int(fieldArg2); ok && (option == prSetChildSubreaper || option == prGetChildSubreaper) {
		c.thread.main().reaps = value != 0
	}
}

package tracer

// Children outlive whoever made them. The kernel then gives them to another
// thread of the process or, with its last one, to a reaper: the nearest
// ancestor that has asked for that, or PID 1 (kernel/exit.c, find_new_reaper).
// Who that is only /proc tells, for it may not be traced.

// reaper is the thread that gets the children of th, which ends: 0 if there are
// none or they have not been given away yet.
func (t *Tracer) reaper(th *thread) int {
	p := th.proc
	if p.live == 0 && p.mem.copies != nil {
		return p.heir
	}
	if p.children == 0 {
		return 0
	}
	if p.live == 0 {
		return t.newParent(p)
	}
	for _, child := range t.table.threads {
		if child.proc.up == p && child.proc.maker == th.tid {
			return t.inherited(p, th.tid)
		}
	}
	return 0
}

// inherited gives the children that thread tid of p has made to another thread
// of p, the first that is left.
func (t *Tracer) inherited(p *process, tid int) int {
	heir := 0
	for _, th := range t.table.threads {
		if th.proc == p && !th.exited && (heir == 0 || th.tid == p.pid || heir != p.pid && th.tid < heir) {
			heir = th.tid
		}
	}
	t.remake(p, tid, heir)
	return heir
}

// remake makes the children of thread tid of p those of another one.
func (t *Tracer) remake(p *process, tid, heir int) {
	for _, child := range t.table.threads {
		if child.proc.up == p && child.proc.maker == tid {
			child.proc.maker = heir
		}
	}
}

// newParent is the process that has got the children of p, which has ended, 0
// if that is not known.
func (t *Tracer) newParent(p *process) int {
	for _, child := range t.table.threads {
		if child.proc.up != p {
			continue
		}
		var s procStatus
		if s.read(child.proc.pid, &t.proc) && s.ppid != p.pid {
			return s.ppid
		}
	}
	return 0
}

// orphan gives the children of p, which is gone, their new parent.
func (t *Tracer) orphan(p *process) {
	if p.children == 0 {
		return
	}
	t.adoptive(p, t.newParent(p))
}

// adoptive gives the children of p a new parent.
func (t *Tracer) adoptive(p *process, pid int) {
	to := t.table.process(pid)
	for _, th := range t.table.threads {
		if child := th.proc; child.up == p {
			child.descend(to, pid)
		}
	}
}

// descend makes p the child of a process that may be none that is traced.
func (p *process) descend(up *process, pid int) {
	if p.up != nil {
		p.up.children--
	}
	p.up, p.parent, p.maker = up, pid, pid
	if up != nil {
		up.children++
	}
}

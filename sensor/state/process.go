package state

// Bits of the flags of a clone, in Falco's numbering.
const (
	cloneFiles   = 1 << 0
	cloneFS      = 1 << 1
	cloneNewNS   = 1 << 5
	cloneThread  = 1 << 13
	cloneActive  = 1 << 19 // it has lived before: the reader is new
	cloneNewUser = 1 << 20
	childInPIDNS = 1 << 29
)

// clone makes the entry of a new thread from the exit event of its parent or
// from its own, whichever comes first.
func (t *Table) clone(exit half) {
	res, ok := exit.Int(0)
	if ok && res == 0 {
		t.cloned(exit)
		return
	}
	t.arrive(exit.View)
	parent := t.cur
	parent.entered = noEnter
	if !ok || res < 0 {
		return
	}
	flags, _ := exit.int(fieldFlags)
	vtid, ok := exit.int(fieldVTID)
	if t.newest() {
		vtid, ok = parent.VTID, parent.VTID > 0
	}
	if ok && vtid != parent.TID || flags&childInPIDNS != 0 {
		return // res is a number of another pid namespace: only the child knows its own
	}
	if t.cfg.Sysdig && t.newest() && exit.Info().Name == "vfork" {
		t.nameParent(parent, exit)
		return // it has begun long ago, for that version, and perhaps ended
	}
	if child := t.threads[res]; child != nil {
		if child.origin == fromChild {
			child.origin = fromBoth
			return
		}
		t.drop(child) // of an earlier thread with that number
	}
	named := t.nameParent(parent, exit)
	if !t.room() {
		t.stats.ThreadsLost++
		return
	}
	child := t.add(res)
	child.Comm = commOf(exit)
	ptid := parent.PID
	if flags&cloneThread != 0 {
		child.PID, ptid = parent.PID, parent.PTID
	}
	t.childOf(child, ptid)
	if named && t.newest() {
		t.inherit(child, nil, flags, exit)
		child.dir.path = ""
	} else {
		t.inherit(child, parent, flags, exit)
	}
	if child.VTID = res; child.PID == child.TID {
		child.VPID = res
	}
	child.origin = fromParent
	if t.departed.take(res) {
		child.origin = fromBoth
		t.ended = child
	}
}

// cloneWindow is how long after its parent's event a thread's own may come, by
// the times in both.
const cloneWindow = 2 * 1e9

// cloned is the exit event of the new thread itself.
func (t *Table) cloned(exit half) {
	tid := exit.TID()
	if child := t.threads[tid]; child != nil {
		if child.origin == fromList && !t.newest() {
			// It is older than the list, which libsinsp believed.
			child.seen = t.now
			t.cur = child
			return
		}
		if child.origin == fromParent && t.now < child.seen+cloneWindow {
			child.origin, child.seen = fromBoth, t.now
			t.cur = child
			return
		}
		t.drop(child) // of an earlier thread with that number
	}
	child := t.add(tid)
	child.Comm = commOf(exit)
	flags, _ := exit.int(fieldFlags)
	if pid, ok := exit.int(fieldPID); ok && flags&cloneThread != 0 {
		child.PID = pid
	}
	if ptid, ok := exit.int(fieldPTID); ok {
		t.childOf(child, ptid)
	}
	from := child.PTID
	if flags&cloneThread != 0 {
		from = child.PID
	}
	parent := t.threads[from]
	// What a thread has that lived before is not what its parent has now.
	lived := flags&cloneActive != 0 && flags&cloneThread == 0 && t.cfg.Root != ""
	if parent == child || lived {
		parent = nil
	}
	if parent == nil {
		// The first event of a command: nothing told of who started it. What
		// was redirected for the command is open in the command only, but it may
		// have left the working directory that it began in.
		known := !lived || t.same(child)
		if flags&cloneFiles == 0 && known {
			t.adopt(child)
		}
		if !lived {
			parent = t.find(from)
		}
		if parent == nil && known {
			t.enterDir(child)
		}
	}
	if parent == nil && !lived && from != tid && t.room() {
		parent = t.add(from)
		parent.dir.path = child.dir.path
	}
	strange := parent != nil && t.newest() && parent.Comm == unknown
	if parent != nil && (!t.newest() || flags&cloneThread != 0) {
		t.nameParent(parent, exit)
	}
	if strange {
		t.inherit(child, nil, flags, exit)
		child.dir.path = ""
		if flags&cloneThread != 0 {
			t.release(child.files)
			child.files, parent.dir = parent.files.retain(), child.dir
		}
	} else {
		t.inherit(child, parent, flags, exit)
	}
	child.origin = fromChild
	t.cur = child
}

// parentless reports whether sysdig 0.41.4 has no parent for a new thread: it takes that
// of which it knows nothing for none.
func (t *Table) parentless(child *Thread) bool {
	if !t.cfg.Sysdig || !t.newest() || child.PID == 1 {
		return false
	}
	parent := t.threads[child.PTID]
	return parent == nil || parent.PTID < 0 || parent.PID < 0
}

// nameParent gives the name of a new thread to the one that it is from, if
// nothing is known of that, and reports whether it has. sysdig 0.29.3 forgets the little that it has done.
func (t *Table) nameParent(parent *Thread, exit half) bool {
	if parent.Comm != unknown || parent.UID != ^uint32(0) && !t.newest() {
		return false
	}
	parent.Comm, parent.Program = commOf(exit), programOf(exit)
	if ptid, ok := exit.int(fieldPTID); ok && t.newest() {
		t.childOf(parent, ptid)
		parent.orphan = t.parentless(parent)
	}
	if t.cfg.Sysdig && !t.newest() {
		t.release(parent.files)
		parent.files, parent.dir = newFiles(), &dir{}
	}
	return true
}

// commOf is the name in a clone or exec exit. Old ones have only the program's.
func commOf(exit half) string {
	if comm := exit.str(fieldComm); len(exit.bytes(fieldComm)) > 0 {
		return string(comm[:min(len(comm), maxText)])
	}
	exe := exit.str(fieldExe)
	return string(exe[:min(len(exe), maxText)])
}

// inherit gives a new thread what it has from its parent, which may be nil.
func (t *Table) inherit(child, parent *Thread, flags int64, exit half) {
	if uid, ok := exit.int(fieldUID); ok {
		child.UID = uint32(uid)
		t.superuser(child.UID)
	}
	child.begins(parent, exit, t.machine.Boot)
	t.account(child)
	child.orphan = t.parentless(child)
	child.leader = child
	if child.PID != child.TID {
		if child.leader = t.threads[child.PID]; child.leader != nil {
			child.leader.members++
		}
	}
	if parent == nil {
		return
	}
	if len(child.files.fds) == 0 {
		t.release(child.files)
		if flags&cloneFiles != 0 {
			child.files = parent.files.retain()
			child.files.shared = child.files.shared || child.PID != parent.PID
		} else {
			child.files = t.copyFiles(parent.files)
		}
	}
	if flags&cloneFS != 0 {
		child.dir = parent.dir
	} else {
		child.dir = &dir{parent.dir.path}
	}
}

// exec makes the thread another program, and closes what that is not to have.
func (t *Table) exec(c *call) {
	th := c.thread
	t.alone(th)
	th.Comm = commOf(c.exit)
	th.executes(c.exit, t.machine.Boot)
	if t.cfg.Sysdig && !t.newest() && th.Program.Path == "" {
		t.asked(c)
	}
	t.account(th)
	if pid, ok := c.exit.int(fieldPID); ok {
		th.PID = pid
	}
	if th.PTID < 0 && t.cfg.Sysdig && t.newest() { // nothing was known of it
		th.VTID, th.VPID = th.TID, th.PID
	}
	if ptid, ok := c.exit.int(fieldPTID); ok {
		t.childOf(th, ptid)
	}
	if uid, ok := c.exit.int(fieldUID); ok {
		th.UID = uint32(uid)
		t.superuser(th.UID)
	}
	if th.PID == th.TID && th.leader == nil {
		th.leader = th
	}
	if th.files.shared {
		own := t.copyFiles(th.files)
		t.release(th.files)
		th.files = own
	}
	t.closeOnExec(th.files)
}

// asked names a program of which the capture does not tell the path by the one that was
// asked for, as sysdig 0.29.3 always does.
func (t *Table) asked(c *call) {
	if c.enter.View == nil || c.enter.Name() != "execve" {
		return
	}
	if path := c.enter.Str(0); len(path) > 0 && string(path) != unknown {
		c.thread.Program.Path = cut(t.resolve(c.thread, c.enter, path), maxText)
	}
}

// setUID follows the effective user.
func setUID(c *call) {
	if id, ok := c.owner(fieldEUID, fieldUID); ok {
		c.thread.UID = id
	}
}

// setGID follows the effective group.
func setGID(c *call) {
	if id, ok := c.owner(fieldEGID, fieldGID); ok {
		c.thread.GID = id
	}
}

// owner is a user or group that a call sets, false if it leaves it as it is.
func (c *call) owner(effective, only field) (uint32, bool) {
	id, ok := c.int(effective)
	if !ok {
		id, ok = c.int(only)
	}
	return uint32(id), ok && uint32(id) != ^uint32(0)
}

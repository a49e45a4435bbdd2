package state

import "github.com/pdig/pdig/event"

// newest reports whether the table follows the libsinsp of today.
func (t *Table) newest() bool { return t.cfg.Style == event.Newest }

// applyNewest does what libsinsp has learnt since sysdig 0.29.3.
func (t *Table) applyNewest(c *call) {
	if !t.newest() {
		return
	}
	if c.exit.rule == ruleBPF {
		t.bpf(c)
	}
}

// Commands of bpf that make a descriptor.
const (
	bpfMapCreate = 0
	bpfProgLoad  = 5
)

// bpf names what the call has made. sysdig 0.41.4 takes every result for that.
func (t *Table) bpf(c *call) {
	if cmd, ok := c.int(fieldCmd); t.cfg.Sysdig || ok && (cmd == bpfMapCreate || cmd == bpfProgLoad) {
		t.set(c.thread.files, c.res, kind('b'))
	}
}

// Events that tell of users and groups.
const (
	userAdded    = 354
	userDeleted  = 356
	groupAdded   = 358
	groupDeleted = 360
)

// people follows what an event tells of users and groups.
func (t *Table) people(h half) {
	uid, uidOK := h.int(fieldUID)
	gid, gidOK := h.int(fieldGID)
	name := cut(string(h.str(fieldName)), maxNameSize)
	switch typ := h.Type(); {
	case typ == userAdded && uidOK:
		t.users.put(uint32(uid), name)
	case typ == userDeleted && uidOK:
		delete(t.users, uint32(uid))
	case typ == groupAdded && gidOK:
		t.groups.put(uint32(gid), name)
	case typ == groupDeleted && gidOK:
		delete(t.groups, uint32(gid))
	}
}

// alone ends the other threads of a process that executes a program.
func (t *Table) alone(th *Thread) {
	if !t.newest() || th.leader != th || th.members == 0 {
		return
	}
	for _, other := range t.threads {
		if other != th && other.leader == th {
			t.drop(other)
		}
	}
}

// somewhere is the working directory of a thread of which nothing is known.
func (t *Table) somewhere() string {
	if t.cfg.Sysdig && t.newest() {
		return "./"
	}
	return ""
}

package state

import "github.com/pdig/pdig/event"

// newest reports whether the table follows the libsinsp of today.
func (t *Table) newest() bool { return t.cfg.Style == event.Newest }

// applyNewest does what libsinsp has learnt since sysdig 0.29.3.
func (t *Table) applyNewest(c *call) {
	if !t.newest() {
		return
	}
	switch c.exit.rule {
	case ruleSendMore:
		t.message(c, false)
	case ruleReceiveMore:
		t.message(c, true)
	case ruleBPF:
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

// somewhere is the working directory of a thread of which nothing is known.
func (t *Table) somewhere() string {
	if t.cfg.Sysdig && t.newest() {
		return "./"
	}
	return ""
}

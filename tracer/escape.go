package tracer

import "golang.org/x/sys/unix"

// Another thread can write CLONE_UNTRACED into the struct of a clone3 after the tracer
// has looked at it, see [Tracer.keepTraced]. Then nobody tells of the child, but the call
// returns its number: so it is seized as one that runs already. What it has done by
// then is not recorded; calls that a filter has it stop at have failed with ENOSYS.

// escape is a clone that has returned a child of which nobody has told.
type escape struct {
	maker *process
	child int // 0: a number of another pid namespace
}

// slipped reports whether the clone of th that has just returned has made such a child.
func (th *thread) slipped() bool {
	c := &th.call
	return c.spec.kind == kindClone && c.ret > 0 && c.child == 0
}

// slip is called at the end of such a clone. The loop sees to the child.
func (t *Tracer) slip(th *thread) {
	e := escape{maker: th.proc, child: int(th.call.ret)}
	if th.proc.nested {
		e.child = 0
	}
	t.escapes = append(t.escapes, e)
}

// catch seizes the children that have escaped, and what they have made since.
func (t *Tracer) catch() {
	escapes := t.escapes
	t.escapes = nil
	for _, e := range escapes {
		s := seizure{t: t, options: t.options &^ unix.PTRACE_O_TRACEEXIT, refused: func(error) {}}
		end := make(chan struct{})
		go s.collect(end)
		if e.child > 0 && !t.met(e.child) {
			s.tree(e.child)
		}
		if s.seized == 0 {
			s.tree(e.maker.pid)
		}
		close(end)
		if t.escaped++; t.escaped == 1 {
			t.log.Warn().Int("pid", e.maker.pid).Int("threads", s.seized).Msg("a child has escaped by CLONE_UNTRACED, and is seized if it lives")
		}
	}
}

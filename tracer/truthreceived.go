package tracer

import (
	"bytes"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/sys"
)

// Of descriptors that come from other processes no event says what they are, and
// the one that has got them may be gone before anybody else can look.

// maxReceived bounds what is told of the descriptors of one message, in bytes: more
// than the most descriptors with usual paths.
const maxReceived = 32 << 10

// receivedTruth is for a call that has got descriptors: those that were found in its
// ancillary data, or its result.
func (t *Tracer) receivedTruth(th *thread) {
	c := &th.call
	if c.spec.truth == truthTaken {
		t.truth.rights = t.truth.rights[:0]
		if c.ret >= 0 {
			t.truth.rights = append(t.truth.rights, int32(c.ret))
		}
	}
	list := t.truth.received[:0]
	for _, fd := range t.truth.rights {
		list = t.appendReceived(list, th, fd)
	}
	t.truth.received, t.truth.Received = list, list
	t.truth.rights = t.truth.rights[:0]
}

// appendReceived appends what descriptor fd of th is, if that can be told.
func (t *Tracer) appendReceived(list []byte, th *thread, fd int32) []byte {
	r := event.Received{FD: fd, Link: t.descriptorPath(th, int64(fd))}
	switch {
	case len(r.Link) == 0:
		return list
	case r.Link[0] == '/':
		var stx unix.Statx_t
		path := append(appendProc(t.scratch[:0], th.tid), "/fd/"...)
		path = append(strconv.AppendInt(path, int64(fd), 10), 0)
		r.Dir = sys.Statx(path, unix.STATX_TYPE, &stx) == 0 && stx.Mode&unix.S_IFMT == unix.S_IFDIR
	case bytes.HasPrefix(r.Link, []byte("socket:")):
		if t.ends.ask(th, int(fd), all) {
			r.Local, r.Peer, r.Proto, r.Listens = t.ends.local, t.ends.peer, t.ends.proto, t.ends.listens
		}
	}
	return r.AppendTo(list, maxReceived)
}

// Package top counts which calls, processes and files are the busiest, and what a run
// was about: what ran, what was written, who was talked to.
//
// Times are in nanoseconds, sizes in bytes. Only calls that have ended count. What is kept
// is bounded, and what had to be forgotten is counted. Names are those of the traced
// programs and not trusted. A [Top] is for one goroutine.
package top

import (
	"bytes"
	"io"
	"strings"
	"time"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/state"
	"github.com/pdig/pdig/syscalls"
)

// Config says where the tables go.
type Config struct {
	To io.Writer
	// Size of the terminal that the tables are shown on all the time, in lines and columns;
	// nil: there is none, and they are written once, at the end.
	Size func() (lines, columns int)
}

// Top counts.
type Top struct {
	cfg    Config
	calls  ranking
	procs  ranking
	files  ranking
	peers  ranking
	ran    ranking
	events uint64
	buf    []byte // of a name
	drawn  time.Time
}

// New returns one that has seen nothing.
func New(cfg Config) *Top {
	return &Top{
		cfg:   cfg,
		calls: newRanking(byCalls), procs: newRanking(byCalls), ran: newRanking(byCalls),
		files: newRanking(byBytes), peers: newRanking(byBytes),
	}
}

// Watch counts an event, which was applied to the state last.
func (t *Top) Watch(v *event.View, st *state.Table) {
	t.events++
	if syscalls.IsEnter(v.Type()) {
		return // counts when it ends
	}
	th := st.Current()
	one := count{calls: 1, ns: th.Latency}
	res, _ := v.Int(0)
	if v.Failed() {
		one.errors = 1
	}
	t.calls.at(key{text: v.Name()}).add(&one)
	t.procs.at(key{th.PID, nameOf(st, th)}).add(&one)
	if one.errors == 0 && (v.Info().Name == "execve" || v.Info().Name == "execveat") {
		t.ran.named(t.command(th.Program)).add(&one)
	}
	fd, ok := st.EventFD(v)
	if !ok || fd < 0 {
		return
	}
	d, ok := st.FD(fd)
	if !ok {
		return
	}
	switch flags := v.Info().Flags; {
	case res <= 0:
	case flags&syscalls.ReadsFromFD != 0:
		one.in = uint64(res)
	case flags&syscalls.WritesToFD != 0:
		one.out = uint64(res)
	}
	switch d.Letter {
	case 'f', 'd', 'm':
		t.files.at(key{text: d.Name}).add(&one)
	case '4', '6', 'u':
		if peer := t.peer(d, st.Server(fd)); peer != "" {
			t.peers.at(key{text: peer}).add(&one)
		}
	}
}

// nameOf is the name of a thread's process.
func nameOf(st *state.Table, th *state.Thread) string {
	if p := st.Process(th); p != nil {
		return p.Comm
	}
	return th.Comm
}

// command is a command line, with blanks between the arguments.
func (t *Top) command(p *state.Program) []byte {
	t.buf = append(append(t.buf[:0], p.Exe...), ' ')
	t.buf = append(t.buf, p.Args...)
	for i, c := range t.buf {
		if c == 0 {
			t.buf[i] = ' '
		}
	}
	return bytes.TrimRight(t.buf[:min(len(t.buf), maxCommand)], " ")
}

// maxCommand is what is kept of a command line.
const maxCommand = 256

// peer names who is at the other end of a connection, "" if nobody is known: the server
// with its port, or a client without.
func (t *Top) peer(d event.FDName, server bool) string {
	if d.Letter == 'u' {
		_, path, _ := strings.Cut(d.Name, " ")
		return path
	}
	client, to, ok := strings.Cut(d.Name, "->")
	if !ok {
		return ""
	}
	if !server {
		return to
	}
	if i := strings.LastIndexByte(client, ':'); i > 0 {
		client = client[:i]
	}
	return client
}

package integration

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/shm"
	"github.com/pdig/pdig/syscalls"
)

var racerRounds = flag.Int("racer.rounds", 3000, "calls of each kind that a racing program makes")

// TestRacer traces programs of which one thread changes what the calls of the other
// are about, while they are made. The program knows what it has got, and so must
// each event, and where it had asked for something else the event is marked.
func TestRacer(t *testing.T) {
	program := fixture(t, "racer")
	for _, kind := range []string{"path", "openat2", "how", "link", "names", "exec", "connect", "pending", "unix", "bind", "packed"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			if kind == "packed" && runtime.GOARCH != "amd64" {
				t.Skip("needs a kernel of amd64: 32-bit calls of 64-bit programs (int 0x80, socketcall)")
			}
			dir := t.TempDir()
			r := &race{kind: kind, dir: dir}
			rounds := *racerRounds
			if kind == "exec" {
				rounds /= 10 // each takes as long as many others
			}
			for i := range r.inodes {
				exits(t, filepath.Join(dir, fmt.Sprintf("exit%d", i+1)), i+1)
			}
			// On a machine that does one thing at a time it may take long.
			for n := 0; r.calls < rounds || (r.marked == 0 || r.changed == 0 && r.changes()) && n < 50; n++ {
				for i := range r.inodes { // the program before may have left them exchanged
					r.inodes[i] = create(t, filepath.Join(dir, fmt.Sprintf("file%d", i+1)))
				}
				r.run(t, program, kind, dir, fmt.Sprint(rounds))
			}
			t.Logf("%d calls, %d got something else than they had asked for, %d marked, %d because of the argument", r.calls, r.others, r.marked, r.changed)
			if r.marked == 0 {
				t.Error("no call is marked")
			}
			if r.changed == 0 && r.changes() {
				t.Error("no argument has changed")
			}
		})
	}
}

// create makes a file and returns its inode.
func create(t *testing.T, name string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := errors.Join(os.WriteFile(name, nil, 0o666), unix.Stat(name, &st)); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

// exits makes a program that ends with a status. It is copied by a command, not by the
// test, of which every child would hold it open to be written to for a moment.
func exits(t *testing.T, name string, status int) {
	t.Helper()
	if out, err := exec.Command("cp", fixture(t, fmt.Sprintf("exit%d", status)), name).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v\n%s", err, out)
	}
}

// race looks at the events of a racer.
type race struct {
	kind, dir string
	unmarked  bool // the source tells what was worked on, and does not compare
	inodes    [2]uint64

	asked, object string
	truth         event.Mismatch
	ino           uint64
	ports         map[uint16]int // what the program calls them

	calls, others, marked, changed int
}

// changes reports whether it is the argument itself that changes.
func (r *race) changes() bool { return r.kind != "link" && r.kind != "names" }

func (r *race) run(t *testing.T, command ...string) {
	t.Helper()
	prefix := ring(t)
	consumer := consumeAs(t, shm.ConsumerConfig{Config: shm.Config{Prefix: prefix}, Truth: true})
	r.ports = map[uint16]int{}
	argv := []string{"-e", "open,openat,openat2,execve,connect,bind,lseek", "--ring", prefix, "--on-full", "block", "--"}
	var v event.View
	recordsOf(t, consumer, exec.Command(pdigPath, append(argv, command...)...), func(_ int, rec []byte) bool {
		if err := v.Parse(rec); err != nil {
			t.Fatal(err)
		}
		r.event(t, &v)
		return false
	}, nil)
}

// param is a parameter by its name.
func param(v *event.View, name string) int {
	return slices.IndexFunc(v.Info().Params, func(p syscalls.Param) bool { return p.Name == name })
}

func (r *race) event(t *testing.T, v *event.View) {
	t.Helper()
	enter := syscalls.IsEnter(v.Type())
	switch name := v.Name(); {
	case name == "lseek" && enter:
		if got, _ := v.Int(param(v, "offset")); got != 0 && r.object != "" {
			r.judge(t, int(got))
		}
		r.object = ""
	case !slices.Contains([]string{"open", "openat", "openat2", "execve", "connect", "bind"}, name):
	case enter && name == "execve":
		r.asked = string(v.Str(param(v, "filename")))
	case enter && name == "connect":
		a, _ := event.DecodeSockAddr(v.Param(param(v, "addr")))
		if r.asked = a.IP.String(); r.kind == "unix" {
			r.asked = string(a.Path)
		}
	case enter && name == "bind":
	case enter:
		r.asked = string(v.Str(param(v, "name")))
	default:
		truth, ok := v.Truth()
		r.object, r.truth = string(truth.Object), truth.Mismatch
		r.ino, _ = v.Uint(param(v, "ino"))
		if name == "bind" {
			a, _ := event.DecodeSockAddr(v.Param(param(v, "addr")))
			r.asked = a.IP.String()
		}
		if res, _ := v.Int(0); (res >= 0 || res == -int64(unix.EINPROGRESS)) && (!ok || r.object == "") {
			t.Errorf("a call that has succeeded has no truth: %s", v.Name())
		}
	}
}

// judge compares an event with what the program has got.
func (r *race) judge(t *testing.T, got int) {
	t.Helper()
	r.calls++
	want, other := fmt.Sprintf("%s/file%d", r.dir, got), event.OtherObject
	switch r.kind {
	case "unix":
		want = fmt.Sprintf("%s/socket%d", r.dir, got)
	case "connect", "pending", "bind", "packed":
		peer := netip.MustParseAddrPort(r.object)
		if n := r.ports[peer.Port()]; n == 0 {
			r.ports[peer.Port()] = got
		} else if n != got {
			t.Errorf("an event has port %d, the program another", peer.Port())
		}
		want = r.object
	case "exec":
		want, other = fmt.Sprintf("%s/exit%d", r.dir, got), event.ArgumentChanged|event.OtherObject
	default:
		if r.ino != r.inodes[got-1] {
			t.Errorf("an event has inode %d, the program %d", r.ino, r.inodes[got-1])
		}
	}
	if r.truth != 0 {
		r.marked++
	}
	if r.truth&event.ArgumentChanged != 0 {
		r.changed++
	}
	switch r.kind {
	case "link", "names": // they are asked for by a name that says nothing of what they are
		if r.kind == "link" && r.object != want {
			t.Errorf("an event has %q, the program %q", r.object, want)
		}
		if r.truth&event.ArgumentChanged != 0 {
			t.Error("an argument has changed that nobody changes")
		}
		return
	}
	if r.object != want {
		t.Errorf("an event has %q, the program %q", r.object, want)
	}
	differs := r.asked != want
	if differs {
		r.others++
	}
	switch {
	case r.unmarked:
	case differs && r.truth&other != other:
		t.Errorf("%q was asked for, %q is got, and the event has mismatch %q", r.asked, want, r.truth)
	case !differs && r.truth&event.OtherObject != 0:
		t.Errorf("%q was asked for and got, and the event has mismatch %q", r.asked, r.truth)
	}
}

package integration

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/source"
	"github.com/pdig/pdig/shm"
	"github.com/pdig/pdig/syscalls"
)

// births, descriptors and the rest are the events that an oracle program tells
// of: of them, a thread must leave those that were told, in their order, and no
// other.
var (
	births      = []string{"clone", "fork", "vfork", "clone3", "procexit"}
	programs    = []string{"execve", "execveat", "procexit"}
	descriptors = []string{
		"open", "openat", "openat2", "creat", "close", "dup", "dup2", "dup3", "pipe", "pipe2",
		"socket", "connect", "accept", "accept4", "bind", "chdir", "fchdir",
	}
)

// The names are up to as long as the kernel takes them (E8).
func TestOracleFiles(t *testing.T) {
	oracle(t, "oracle-files", slices.Concat(births, programs, descriptors))
}

func TestOracleSockets(t *testing.T) {
	oracle(t, "oracle-sockets", slices.Concat(births, programs, descriptors))
}

func TestOracleProcesses(t *testing.T) {
	t.Run("users and pid namespaces", root) // of the program's parts only these need it
	oracle(t, "oracle-processes", slices.Concat(births, programs, descriptors))
}

// Arguments and environment are cut where it is said, and nowhere else (E8).
func TestOracleExec(t *testing.T) { oracle(t, "oracle-exec", programs) }

// oracle runs a program of testdata under pdig, for readers of the newest
// events and of the oldest, and compares the records of some events with what
// the program says.
func oracle(t *testing.T, name string, judged []string) {
	t.Parallel()
	eachABI(t, name, func(t *testing.T, program string) {
		for _, schema := range []string{"newest", "336"} {
			t.Run(schema, func(t *testing.T) {
				t.Parallel()
				said, records := traceInto(t, "--schema", schema, "--", program, schema, t.TempDir())
				compareOracle(t, knownTo(schema, said), records, judged)
			})
		}
	})
}

// knownTo takes those parameters from what a program says that a reader of an older
// schema is not sent: it could not read a capture of such events.
func knownTo(schema, said string) string {
	if schema == "newest" {
		return said
	}
	var b strings.Builder
	for line := range strings.Lines(said) {
		words := strings.Split(strings.TrimSuffix(line, "\n"), " ")
		if typ, err := strconv.Atoi(words[min(1, len(words)-1)]); err == nil && typ < syscalls.NumEvents {
			if n := syscalls.NewestParams(uint16(typ)); n < len(syscalls.Events[typ].Params) {
				words = words[:min(len(words), 2+n)]
			}
		}
		b.WriteString(strings.Join(words, " ") + "\n")
	}
	return b.String()
}

// compareOracle compares the records of each thread with what was said of it.
func compareOracle(t *testing.T, said string, records [][]byte, judged []string) {
	t.Helper()
	want := saidOf(t, said)
	got := map[int64][]string{}
	var order []int64
	var quiet ownReads
	for i, rec := range records {
		var v event.View
		if err := v.Parse(rec); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
		if !slices.Contains(judged, v.Info().Name) || quiet.skip(&v) {
			continue
		}
		if got[v.TID()] == nil {
			order = append(order, v.TID())
		}
		got[v.TID()] = append(got[v.TID()], describe(&v))
	}
	if len(order) == 0 || len(want) == 0 {
		t.Fatalf("%d threads left records, %d told of any", len(order), len(want))
	}
	// What stands before the command's program is not the program's to know.
	root := order[0]
	start := slices.IndexFunc(got[root], func(s string) bool { return strings.HasPrefix(s, "293 res=0 ") })
	got[root] = got[root][start+1:]
	for _, tid := range order {
		compareThread(t, tid, want[tid], got[tid])
		delete(want, tid)
	}
	for tid, lines := range want {
		t.Errorf("thread %d left no record, want %q", tid, lines)
	}
}

// saidOf is what a program has said of each thread.
func saidOf(t *testing.T, said string) map[int64][]string {
	t.Helper()
	want := map[int64][]string{}
	for line := range strings.Lines(said) {
		tid, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		n, err := strconv.ParseInt(tid, 10, 64)
		if err != nil {
			t.Fatalf("the program says %q", line)
		}
		want[n] = append(want[n], text)
	}
	return want
}

func compareThread(t *testing.T, tid int64, want, got []string) {
	t.Helper()
	for i := range max(len(want), len(got)) {
		w, g := "nothing", "nothing"
		if i < len(want) {
			w = want[i]
		}
		if i < len(got) {
			g = got[i]
		}
		if fits(w, g) {
			fire(w)
			continue
		}
		t.Errorf("thread %d, event %d: %s", tid, i, difference(w, g))
		if len(strings.SplitN(g, " ", 2)[0]) != len(strings.SplitN(w, " ", 2)[0]) || strings.SplitN(g, " ", 2)[0] != strings.SplitN(w, " ", 2)[0] {
			return // out of step: what follows says no more
		}
	}
}

// difference is where two events differ, for a message.
func difference(want, got string) string {
	w, g := splitWords(want), splitWords(got)
	if len(w) != len(g) {
		return "\n got " + short(got) + "\nwant " + short(want)
	}
	s := w[0]
	for i := range w {
		if !fits(w[i], g[i]) {
			s += "\n got " + short(g[i]) + "\nwant " + short(w[i])
		}
	}
	return s
}

// short cuts long words, for messages.
func short(s string) string {
	return regexp.MustCompile(`[^ ]{300,}`).ReplaceAllStringFunc(s, func(w string) string {
		return fmt.Sprintf("%s…(%d)…%s", w[:100], len(w), w[len(w)-100:])
	})
}

// fits reports whether an event is as it was told: * is any number, + any but
// 0, and a record may have fewer parameters than its event has today if it was
// made for an old reader.
func fits(want, got string) bool {
	w, g := splitWords(want), splitWords(got)
	if len(w) != len(g) {
		return false
	}
	for i := range w {
		name, value, _ := strings.Cut(w[i], "=")
		gotName, gotValue, _ := strings.Cut(g[i], "=")
		switch {
		case name != gotName:
			return false
		case value == "*" && number.MatchString(gotValue):
		case value == "+" && number.MatchString(gotValue) && gotValue != "0":
		case value != gotValue:
			return false
		}
	}
	return true
}

var (
	number = regexp.MustCompile(`^-?[0-9]+$`)
	words  = regexp.MustCompile(`(?:[^ "]|"[^"]*")+`)
)

func splitWords(s string) []string { return words.FindAllString(s, -1) }

// ownReads leaves out how an oracle program looks itself up in /proc.
type ownReads struct{ fds map[int64]int64 }

func (o *ownReads) skip(v *event.View) bool {
	if o.fds == nil {
		o.fds = map[int64]int64{}
	}
	switch v.Info().Name {
	case "openat":
		i := 1 // of the name
		if !syscalls.IsEnter(v.Type()) {
			i = 2
		}
		// The library of 32-bit programs counts the CPUs for its heaps.
		if name := v.Param(i); !bytes.HasPrefix(name, []byte("/proc/")) && !bytes.HasPrefix(name, []byte("/sys/devices/system/cpu/")) {
			return false
		}
		if fd, ok := v.Int(0); i == 2 && ok && fd >= 0 {
			o.fds[v.TID()] = fd
		}
		return true
	case "close":
		fd, ok := o.fds[v.TID()]
		if !ok {
			return false
		}
		if n, _ := v.Int(0); syscalls.IsEnter(v.Type()) && n != fd {
			return false
		}
		if !syscalls.IsEnter(v.Type()) {
			delete(o.fds, v.TID())
		}
		return true
	}
	return false
}

// describe writes an event as the oracle programs do.
func describe(v *event.View) string {
	s := strconv.Itoa(int(v.Type()))
	params := v.Info().Params
	for i := range v.NumParams() {
		if i >= len(params) {
			return s + " and more parameters than the event has"
		}
		s += " " + params[i].Name + "=" + paramText(v, i)
	}
	return s
}

// paramText is a parameter that the event has.
func paramText(v *event.View, i int) string {
	p, b := &v.Info().Params[i], withoutLayer(v, i)
	switch {
	case p.Type != syscalls.Dyn:
		return value(p.Type, b)
	case len(b) == 0 || int(b[0]) >= len(p.Dyn):
		return "no-selector:" + quoteBytes(b)
	}
	return fmt.Sprintf("%d:%s", b[0], value(p.Dyn[b[0]].Type, b[1:])) // the selector and what it selects
}

// withoutLayer is a parameter without what it tells of the layers of overlay file systems:
// the programs do not know whether they are in one. TestLayers does.
func withoutLayer(v *event.View, i int) []byte {
	b := v.Param(i)
	switch p := &v.Info().Params[i]; {
	case p.Name == "flags" && len(b) == 4 && strings.HasPrefix(v.Name(), "open"):
		b = binary.NativeEndian.AppendUint32(nil, binary.NativeEndian.Uint32(b)&^(fdUpper|fdLower))
	case p.Name == "creat_flags" && len(b) == 2:
		b = binary.NativeEndian.AppendUint16(nil, binary.NativeEndian.Uint16(b)&^(creatUpper|creatUpper<<1))
	}
	return b
}

func value(typ syscalls.Type, b []byte) string {
	switch typ {
	case syscalls.CharBuf, syscalls.FSPath, syscalls.FSRelPath:
		switch {
		case len(b) == 0:
			return "-"
		case bytes.IndexByte(b, 0) != len(b)-1:
			return "no-string:" + quoteBytes(b)
		}
		return quoteBytes(b[:len(b)-1])
	case syscalls.ByteBuf:
		if len(b) == 0 {
			return "-"
		}
		return quoteBytes(b)
	case syscalls.SockAddr:
		return address(b)
	case syscalls.SockTuple:
		return tuple(b)
	case syscalls.FDList:
		return fdList(b)
	}
	if len(b) != typ.Size() {
		return fmt.Sprintf("%d-bytes", len(b))
	}
	signed := false
	switch typ {
	case syscalls.Errno, syscalls.FD, syscalls.PID, syscalls.Int8, syscalls.Int16, syscalls.Int32, syscalls.Int64:
		signed = true
	}
	switch len(b) {
	case 1:
		return strconv.Itoa(int(b[0]))
	case 2:
		if n := binary.NativeEndian.Uint16(b); !signed {
			return strconv.Itoa(int(n))
		}
		return strconv.Itoa(int(int16(binary.NativeEndian.Uint16(b))))
	case 4:
		if n := binary.NativeEndian.Uint32(b); !signed {
			return strconv.FormatUint(uint64(n), 10)
		}
		return strconv.Itoa(int(int32(binary.NativeEndian.Uint32(b))))
	}
	if n := binary.NativeEndian.Uint64(b); !signed {
		return strconv.FormatUint(n, 10)
	}
	return strconv.FormatInt(int64(binary.NativeEndian.Uint64(b)), 10)
}

func quoteBytes(b []byte) string {
	s := []byte{'"'}
	for _, c := range b {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			s = fmt.Appendf(s, `\x%02x`, c)
		} else {
			s = append(s, c)
		}
	}
	return string(append(s, '"'))
}

// address is FAMILY/IP:PORT, 1/"path" or -.
func address(b []byte) string {
	switch {
	case len(b) == 0:
		return "-"
	case b[0] == unix.AF_INET && len(b) == 7, b[0] == unix.AF_INET6 && len(b) == 19:
		return fmt.Sprintf("%d/%s", b[0], endpoint(b[1:]))
	case b[0] == unix.AF_UNIX && bytes.IndexByte(b[1:], 0) == len(b)-2:
		return "1/" + quoteBytes(b[1:len(b)-1])
	}
	return fmt.Sprintf("no-address:%x", b)
}

// tuple is FAMILY/IP:PORT>IP:PORT, 1/ID>ID/"path" or -.
func tuple(b []byte) string {
	switch {
	case len(b) == 0:
		return "-"
	case b[0] == unix.AF_INET && len(b) == 13, b[0] == unix.AF_INET6 && len(b) == 37:
		half := len(b) / 2
		return fmt.Sprintf("%d/%s>%s", b[0], endpoint(b[1:1+half]), endpoint(b[1+half:]))
	case b[0] == unix.AF_UNIX && len(b) > 17 && bytes.IndexByte(b[17:], 0) == len(b)-18:
		return fmt.Sprintf("1/%d>%d/%s", binary.NativeEndian.Uint64(b[1:]), binary.NativeEndian.Uint64(b[9:]), quoteBytes(b[17:len(b)-1]))
	}
	return fmt.Sprintf("no-tuple:%x", b)
}

// fdList is FD:FLAGS, with commas between, or none.
func fdList(b []byte) string {
	const size = 10
	if len(b) < 2 || len(b) != 2+size*int(binary.NativeEndian.Uint16(b)) {
		return fmt.Sprintf("no-list:%x", b)
	}
	var pairs []string
	for b = b[2:]; len(b) > 0; b = b[size:] {
		pairs = append(pairs, fmt.Sprintf("%d:%d", int64(binary.NativeEndian.Uint64(b)), binary.NativeEndian.Uint16(b[8:])))
	}
	if pairs == nil {
		return "none"
	}
	return strings.Join(pairs, ",")
}

// endpoint is an address in network order and a port in host order.
func endpoint(b []byte) netip.AddrPort {
	ip, _ := netip.AddrFromSlice(b[:len(b)-2])
	return netip.AddrPortFrom(ip, binary.NativeEndian.Uint16(b[len(b)-2:]))
}

// traceInto runs pdig with -e all, the arguments and a ring that the test
// reads. It returns what the command has printed and copies of the records.
func traceInto(t *testing.T, args ...string) (stdout string, records [][]byte) {
	t.Helper()
	return traceAs(t, nil, args...)
}

// traceAs is traceInto with the words before, if any, of a program that runs pdig.
func traceAs(t *testing.T, before []string, args ...string) (stdout string, records [][]byte) {
	t.Helper()
	prefix := ring(t)
	consumer := consume(t, shm.Config{Prefix: prefix})
	argv := slices.Concat(before, []string{pdigPath, "-e", "all", "--ring", prefix, "--on-full", "block"}, args)
	return recordsOf(t, consumer, exec.Command(argv[0], argv[1:]...), func(int, []byte) bool { return true }, nil)
}

// recordsOf runs a command to its end, and returns what it has printed and copies of
// those of the records that come meanwhile that are wanted. pid is that of the command.
// complete, if any, reports whether there is nothing more to come of a command that has
// ended: a source of the kernel may be quiet while it has something.
func recordsOf(t *testing.T, src source.Source, cmd *exec.Cmd, wanted func(pid int, rec []byte) bool, complete func() bool) (stdout string, records [][]byte) {
	t.Helper()
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	var over time.Time // when it has ended
	for last := time.Now(); ; {
		rec, err := src.Next()
		switch {
		case err == nil:
			last = time.Now()
			if wanted(cmd.Process.Pid, rec) {
				records = append(records, bytes.Clone(rec))
			}
			continue
		case !errors.Is(err, os.ErrDeadlineExceeded):
			t.Fatal(err)
		case !over.IsZero():
			stats := src.Stats()
			nested, wait := stats.Lost[event.CauseNested], patience
			if nested > 0 { // at most so many are lost, and the records tell which: an end, perhaps
				wait = min(patience, 30*time.Second)
			}
			if stats.LostTotal() != nested || nested > 0 && !interruptibleProbes() {
				t.Errorf("records are lost: %+v", stats)
			} else if complete != nil && !complete() && time.Since(over) < wait {
				continue
			}
			return out.String(), records
		case time.Since(last) > patience:
			t.Fatal("no record comes any more, and the command does not end")
		}
		select {
		case err := <-ended:
			if err != nil || words.Len() > 0 {
				t.Fatalf("%q: %v\n%s", cmd.Args, err, words.String())
			}
			over = time.Now() // what is written before the end is in the ring by now
		default:
		}
	}
}

func TestFits(t *testing.T) {
	for _, row := range []struct {
		want, got string
		fits      bool
	}{
		{`5 res=0 fd=3`, `5 res=0 fd=3`, true},
		{`5 res=0 fd=3`, `5 res=0 fd=4`, false},
		{`5 res=0 fd=3`, `5 res=0`, false},
		{`5 res=0`, `5 res=0 fd=3`, false},
		{`5 res=0`, `4 res=0`, false},
		{`5 res=*`, `5 res=-9`, true},
		{`5 res=*`, `5 res="x"`, false},
		{`5 res=+`, `5 res=9`, true},
		{`5 res=+`, `5 res=0`, false},
		{`3 name="a b" fd=1`, `3 name="a b" fd=1`, true},
		{`3 name="a b" fd=1`, `3 name="a c" fd=1`, false},
		{`3 name=-`, `3 name=""`, false},
	} {
		if got := fits(row.want, row.got); got != row.fits {
			t.Errorf("fits(%s, %s) = %t, want %t", row.want, row.got, got, row.fits)
		}
	}
}

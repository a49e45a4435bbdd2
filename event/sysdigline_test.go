package event

import (
	"strconv"
	"strings"
	"testing"

	"github.com/pdig/pdig/syscalls"
)

// simple tells which events sysdig prints, and reads without crashing:
// those of system calls, as long as they are no more than text to it.
func simple(typ uint16) bool {
	info := &syscalls.Events[typ]
	if info.Flags&syscalls.Unused != 0 || info.Class == syscalls.CategoryInternal {
		return false
	}
	switch info.Name {
	case "container", "pluginevent", "cpu_hotplug", "procexit":
		return false
	}
	for _, p := range info.Params {
		if p.Type == syscalls.CharBufArray || p.Type == syscalls.CharBufPairs {
			return false
		}
	}
	return true
}

// TestSysdig compares what sysdig prints of synthetic events: all that the
// oldest table has, of a thread with descriptors, in every style of data.
func TestSysdig(t *testing.T) {
	for name, style := range map[string]struct {
		option string
		Printer
	}{
		"dots":         {"", Printer{}},
		"hex":          {"-x", Printer{Data: DataHex}},
		"hex and text": {"-X", Printer{Data: DataHexText}},
		"text":         {"-A", Printer{Data: DataText}},
		"base64":       {"-b", Printer{Data: DataBase64}},
		"long":         {"-v", Printer{Long: true}},
	} {
		t.Run(name, func(t *testing.T) { compareSysdig(t, style.option, style.Printer) })
	}
}

func compareSysdig(t *testing.T, option string, p Printer) {
	const separator = "\x02"
	p.Verbatim = true
	var c capture
	c.header()
	var (
		e    Encoder
		v    View
		s    = newSynth()
		ours []string
	)
	for range 20 {
		for typ := range uint16(syscalls.CeilingA) {
			if !simple(typ) {
				continue
			}
			_, count := Edition(typ)
			rec, err := s.event(&e, 100, typ, count)
			if err != nil {
				t.Fatal(err)
			}
			if err := v.Parse(rec); err != nil {
				t.Fatal(err)
			}
			c.event(rec)
			ours = append(ours, string(p.AppendInfo(append([]byte(v.Name()), ' '), &v, fixture{})))
		}
	}
	args := []string{"-p", separator + "*%evt.num %evt.type %evt.info"}
	if option != "" {
		args = append(args, option)
	}
	got := strings.Split(strings.Join(c.sysdig(t, args...), "\n"), separator)
	if len(got)-1 != len(ours) {
		t.Errorf("sysdig prints %d events of %d", len(got)-1, len(ours))
	}
	for _, line := range got[1:] {
		num, line, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		n, err := strconv.Atoi(strings.TrimPrefix(num, "*"))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(line, "LK64") || strings.Contains(line, "LKW64") {
			continue // names of fcntl commands of 32-bit programs, which the flag table lacks
		}
		if line != ours[n-1] {
			t.Errorf("event %d:\n got %q\nwant %q", n, ours[n-1], line)
		}
	}
}

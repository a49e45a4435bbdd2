package tracer

import (
	"errors"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/syscalls"
	"github.com/pdig/pdig/tracer/seccomp"
)

// selected returns the names of the selected calls.
func selected(s *Selection) []string {
	var names []string
	for i := range syscalls.Calls {
		if s.calls[i] {
			names = append(names, syscalls.Calls[i].Name)
		}
	}
	slices.Sort(names)
	return names
}

func TestSelect(t *testing.T) {
	exec := []string{"clone", "clone3", "execve", "execveat", "exit", "exit_group", "fork", "vfork"}
	for _, tt := range []struct {
		text string
		want []string
	}{
		{"openat,close", []string{"close", "openat"}},
		{" openat , close", []string{"close", "openat"}},
		{"exec", exec},
		{"exec,!exit,!exit_group", exec[:4:4]},
		{"all,!all,close", []string{"close"}},
		{"%ipc,!msgget", nil},
	} {
		s, err := Select(tt.text)
		if err != nil {
			t.Errorf("Select(%q): %v", tt.text, err)
			continue
		}
		got := selected(s)
		switch tt.text {
		case "exec,!exit,!exit_group":
			tt.want = slices.DeleteFunc(slices.Clone(exec), func(n string) bool { return n == "exit" || n == "exit_group" })
		case "%ipc,!msgget":
			if slices.Contains(got, "msgget") || !slices.Contains(got, "shmat") || slices.Contains(got, "openat") {
				t.Errorf("Select(%q) = %v", tt.text, got)
			}
			continue
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("Select(%q) = %v, want %v", tt.text, got, tt.want)
		}
	}
}

// Each level holds the one before, and the last holds everything (E10).
func TestSelectLevels(t *testing.T) {
	var last []string
	for _, l := range []string{"exec", "security", "io", "all"} {
		s, err := Select(l)
		if err != nil {
			t.Fatal(err)
		}
		now := selected(s)
		if len(now) <= len(last) {
			t.Errorf("level %s selects %d calls, the one before %d", l, len(now), len(last))
		}
		for _, n := range last {
			if !slices.Contains(now, n) {
				t.Errorf("level %s lacks %s of the level before", l, n)
			}
		}
		if got, want := s.has(-1, 999), l == "all"; got != want {
			t.Errorf("level %s: unnamed numbers selected %v, want %v", l, got, want)
		}
		last = now
	}
	if len(last) != len(syscalls.Calls) {
		t.Errorf("all selects %d calls of %d", len(last), len(syscalls.Calls))
	}
}

func TestSelectTakesAway(t *testing.T) {
	s, err := Select("!futex")
	if err != nil {
		t.Fatal(err)
	}
	if got := selected(s); len(got) != len(syscalls.Calls)-1 || slices.Contains(got, "futex") {
		t.Errorf("!futex selects %d calls of %d", len(got), len(syscalls.Calls))
	}
}

func TestSelectNumbers(t *testing.T) {
	native := abis[0].arch
	openat := int(syscalls.LookupName("openat").Nr[native])
	s, err := Select(strconv.Itoa(openat) + ",1000")
	if err != nil {
		t.Fatal(err)
	}
	if got := selected(s); !slices.Equal(got, []string{"openat"}) {
		t.Errorf("selected %v, want openat", got)
	}
	if !s.has(-1, 1000) || s.has(-1, 1001) {
		t.Error("the number without a name is not selected, or another is")
	}
}

func TestSelectErrors(t *testing.T) {
	for _, text := range []string{"", "open at", "%", "%files", "nosuch", "security,,close", "-1", "99999999999", "!"} {
		_, err := Select(text)
		var want *SelectionError
		if !errors.As(err, &want) {
			t.Errorf("Select(%q): error %v, want a SelectionError", text, err)
		}
	}
}

// Whatever is selected, the tracer sees the calls that it follows itself:
// without restart_syscall the end of an interrupted call is never seen.
func TestFilterHasOwnCalls(t *testing.T) {
	s, err := Select("close")
	if err != nil {
		t.Fatal(err)
	}
	sets := s.sets()
	for i, a := range abis {
		if sets[i].Arch != a.audit {
			t.Fatalf("set %d is of architecture %#x, want %#x", i, sets[i].Arch, a.audit)
		}
		for _, name := range []string{"close", "restart_syscall", "clone", "clone3", "execve", "execveat", "unshare", "setns"} {
			n := syscalls.LookupName(name).Nr[a.arch]
			if n >= 0 && !slices.Contains(sets[i].Calls, uint32(n)|a.bit) {
				t.Errorf("architecture %#x bit %#x: %s is not in the filter", a.audit, a.bit, name)
			}
		}
		unshares := seccomp.Mask{Call: uint32(syscalls.LookupName("close_range").Nr[a.arch]) | a.bit, Argument: 2, Bits: unix.CLOSE_RANGE_UNSHARE}
		if !slices.Contains(sets[i].Masks, unshares) {
			t.Errorf("architecture %#x bit %#x: close_range is not in the filter", a.audit, a.bit)
		}
		if n := syscalls.LookupName("read").Nr[a.arch]; slices.Contains(sets[i].Calls, uint32(n)|a.bit) {
			t.Errorf("architecture %#x: read is in the filter", a.audit)
		}
	}
	if _, err := s.Filter(1); err != nil {
		t.Error(err)
	}
}

func TestFilterOfAll(t *testing.T) {
	s, err := Select("all")
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.Filter(1)
	if err != nil {
		t.Fatal(err)
	}
	if len(f) > unix.BPF_MAXINSNS {
		t.Errorf("%d instructions", len(f))
	}
}

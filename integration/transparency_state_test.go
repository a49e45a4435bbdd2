package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestInherited has a program tell what it got from a parent that has set it
// all oddly (P25: descriptors, signals, limits and the rest of its status).
func TestInherited(t *testing.T) {
	parent, state := fixture(t, "parent"), fixture(t, "state")
	for _, kinds := range []string{
		"session", "group", "signals", "nochild", "limits", "attributes", "privileges", "children", "children,nochild",
		"descriptors", "directory", "environment", "closed", "closed,descriptors",
		"signals,limits,attributes,privileges,session,children,descriptors,environment,directory,closed",
	} {
		t.Run(kinds, func(t *testing.T) {
			t.Parallel()
			if strings.Contains(kinds, "privileges") {
				needRoot(t)
			}
			dir := t.TempDir()
			out := filepath.Join(dir, "out")
			compare(t, func(t *testing.T, w *way) string {
				argv := append([]string{kinds}, w.command(state, out, "", "--", "-x", "a\nb \xff", "--ring")...)
				cmd := exec.Command(parent, argv...)
				cmd.Dir = dir
				p := start(t, cmd)
				r := p.wait(t)
				text, err := os.ReadFile(out)
				if err != nil {
					t.Errorf("%v: %s", err, r)
				}
				_ = os.Remove(out)
				return r.String() + comparable(string(text), p.pid())
			})
		})
	}
}

// differing are the lines of /proc/self/status that no two runs have in common,
// and those in which tracing shows by its nature: a tracer and a filter.
var differing = regexp.MustCompile(`(?m)^(Vm\w+|Rss\w+|TracerPid|Seccomp|Seccomp_filters|voluntary_ctxt_switches|nonvoluntary_ctxt_switches|SigQ):.*\n`)

// idLines are the lines with numbers of processes.
var idLines = regexp.MustCompile(`^(pid|stat [4-6]|Tgid|Pid|PPid|NStgid|NSpid|NSpgid|NSsid|fd 67)\b`)

// comparable is what state.c has written, with names for the pid of the
// program and of the test.
func comparable(state string, pid int) string {
	state = differing.ReplaceAllString(state, "")
	if os.Geteuid() != 0 {
		// Without privileges a filter is to be had for no_new_privs only.
		state = regexp.MustCompile(`(?m)^NoNewPrivs:.*\n`).ReplaceAllString(state, "")
	}
	number := regexp.MustCompile(`\b\d+\b`)
	var out strings.Builder
	for line := range strings.Lines(state) {
		if idLines.MatchString(line) {
			line = number.ReplaceAllStringFunc(line, func(s string) string {
				switch s {
				case strconv.Itoa(pid):
					return "SELF"
				case strconv.Itoa(os.Getpid()):
					return "TEST"
				}
				return s
			})
		}
		out.WriteString(line)
	}
	return out.String()
}

// TestOddName starts pdig itself under an empty name.
func TestOddName(t *testing.T) {
	parent, state := fixture(t, "parent"), fixture(t, "state")
	eachTraced(t, func(t *testing.T, w *way) {
		out := filepath.Join(t.TempDir(), "out")
		p := start(t, exec.Command(parent, append([]string{"name"}, w.command(state, out)...)...))
		r := p.wait(t)
		text, err := os.ReadFile(out)
		if want := fmt.Sprintf("argc 2\n%s\n%s\n", state, out); err != nil || !strings.Contains(string(text), want) || r.String() != "status 0x0\n" {
			t.Errorf("got %s, %v, want in it %s:\n%s", r, err, want, text)
		}
	})
}

// TestLimitedAlarm: what was set to end the process ends the command.
func TestLimitedAlarm(t *testing.T) {
	t.Parallel()
	needProgram(t, "perl")
	compare(t, func(t *testing.T, w *way) string {
		argv := w.command("sleep", "30")
		return start(t, exec.Command("perl", append([]string{"-e", `alarm 1; exec @ARGV`}, argv...)...)).wait(t).String()
	})
}

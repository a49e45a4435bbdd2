package integration

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A flaw of sysdig is one of those that docs/sensor.md lists: where sysdig is wrong. Of
// texts that name such a field the events are left out which it is about.
type flaw struct {
	peer   string
	fields *regexp.Regexp
	events string // the condition that finds them
	by     string // the field whose values they are left out by
}

var flaws = []flaw{
	// It looks for the descriptor in the enter event, which has none.
	{"old", regexp.MustCompile(`fd\.`), "evt.type in (getsockopt, setsockopt) and evt.dir=<", "evt.num"},
	// There is no client.
	{"old", regexp.MustCompile(`fd\.cport`), "fd.cport=0 and not fd.cip exists", "evt.num"},
	// It reads beyond the number.
	{"old", regexp.MustCompile(`group\.gid`), "group.gid>4294967295", "evt.num"},
	// A prlimit that asks sets nothing.
	{"old", regexp.MustCompile(`proc\.fd(limit|usage)`), "evt.type=prlimit and evt.dir=< and evt.arg.newcur=0", "proc.pid"},
	{"new", regexp.MustCompile(`proc\.fd(limit|usage)`), "evt.type=prlimit and evt.arg.newcur=0", "proc.pid"},
	// A bound socket of IPv6 that has got a message has two ends.
	{"old", regexp.MustCompile(`fd\.[clrs](ip|port|net|proto)`), `fd.type=ipv6 and fd.name contains "->" and not fd.cip exists`, "evt.num"},
	{"new", regexp.MustCompile(`fd\.[clrs](ip|port|net|proto)`), `fd.type=ipv6 and fd.name contains "->" and not fd.cip exists`, "evt.num"},
	// A thread that the file does not tell of is one, too, with what is open in it.
	{"new", regexp.MustCompile(`proc\.(pid|n|fd)|thread\.ismain`), "proc.pid<0", "evt.num"},
	// A process that is in the list is not there twice.
	{"new", regexp.MustCompile(`proc\.n(threads|childs)`), "evt.type in (clone, clone3, fork, vfork) and evt.rawres=0 and proc.nthreads>1 and not evt.arg.flags contains CLONE_THREAD", "proc.pid"},
}

// leftOut are conditions, by the number of the flaw, that leave out what it is about.
type leftOut map[int]string

// narrowed is a condition, perhaps none, without the events of the flaws that a
// text shows.
func (p *peer) narrowed(t *testing.T, file string, known leftOut, text, condition string) string {
	t.Helper()
	for i, d := range flaws {
		if d.peer != p.name || !d.fields.MatchString(text) {
			continue
		}
		without, ok := known[i]
		if !ok {
			values := p.lines(t, p.command, file, append(slices.Clone(p.filter), "-p", "%"+d.by, d.events)...)
			slices.Sort(values)
			values = slices.DeleteFunc(slices.Compact(values), func(s string) bool { return s == "" })
			if len(values) > 0 {
				without = "not " + d.by + " in (" + strings.Join(values, ", ") + ")"
			}
			known[i] = without
		}
		switch {
		case without == "":
		case condition == "":
			condition = without
		default:
			condition = "(" + condition + ") and " + without
		}
	}
	return condition
}

package state

import (
	"fmt"
	"testing"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/testrecord"
)

// TestGuesses is what fields show of captures, measured with sysdig 0.29.3, and of live
// events.
func TestGuesses(t *testing.T) {
	about := func(tab *Table, v *event.View) string {
		fd, ok := tab.EventFD(v)
		source, target, found := tab.Ends(fd)
		return fmt.Sprint(fd, ok, " connected ", tab.Connected(fd), " begun ", tab.Begun(fd), " by ", found, source, target)
	}
	parent := func(tab *Table, _ *event.View) string { return fmt.Sprint(tab.Current().PTID) }
	size := func(tab *Table, _ *event.View) string { return fmt.Sprint(tab.Memory(tab.Current()).VMSize) }
	for _, row := range []struct {
		name         string
		lines        []string
		show         func(*Table, *event.View) string
		sysdig, live string
	}{
		{
			"copy of an unknown descriptor", []string{"100 > fcntl fd=9 cmd=1", "100 < fcntl res=10"}, about,
			"9 true connected false begun false by false invalid AddrPort invalid AddrPort",
			"10 true connected false begun false by false invalid AddrPort invalid AddrPort",
		},
		{
			"dup of one onto a known one", []string{"100 > open name=/f", "100 < open fd=4 name=/f", "100 > dup fd=9", "100 < dup res=4"}, about,
			"9 true connected false begun false by false invalid AddrPort invalid AddrPort",
			"4 true connected false begun false by false invalid AddrPort invalid AddrPort",
		},
		{
			"a socket that is being connected",
			[]string{"100 > socket domain=2 type=1", "100 < socket fd=5", "100 > connect/2 fd=5 addr=10.0.0.2:80"}, about,
			"5 true connected false begun false by true 0.0.0.0:0 10.0.0.2:80",
			"5 true connected false begun false by false invalid AddrPort invalid AddrPort",
		},
		{
			"one that has sent something",
			[]string{"100 > socket domain=2 type=2", "100 < socket fd=5", "100 > sendto fd=5 tuple=10.0.0.1:4000->10.0.0.2:53", "100 < sendto res=1"}, about,
			"5 true connected true begun true by true 10.0.0.1:4000 10.0.0.2:53",
			"5 true connected false begun true by false invalid AddrPort invalid AddrPort",
		},
		{
			"an orphan",
			[]string{"100 < clone res=200 pid=100 tid=100", "200 < clone res=0 pid=200 tid=200 ptid=100", "100 > procexit+ reaper_tid=7", "200 > getcwd"}, parent,
			"100", "7",
		},
		{
			"the memory of a thread",
			[]string{"101 < clone res=0 pid=100 tid=101 flags=8192 vm_size=1", "101 < brk@159/4 vm_size=5", "100 > getcwd"}, size,
			"0", "5",
		},
	} {
		for sysdig, want := range map[bool]string{true: row.sysdig, false: row.live} {
			tab := newTable(sysdig)
			apply(t, tab, row.lines[:len(row.lines)-1]...)
			var e event.Encoder
			var v event.View
			rec, err := testrecord.Line(&e, startTime, row.lines[len(row.lines)-1])
			if err == nil {
				err = v.Parse(rec)
			}
			if err != nil {
				t.Fatal(row.name, err)
			}
			tab.Apply(&v)
			if got := row.show(tab, &v); got != want {
				t.Errorf("%s, sysdig %v: got %q, want %q", row.name, sysdig, got, want)
			}
		}
	}
}

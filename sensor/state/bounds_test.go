package state

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/testrecord"
)

// TestText gives a table more names and arguments than it keeps.
func TestText(t *testing.T) {
	tab := New(Config{MaxText: 9100})
	var e event.Encoder
	var v event.View
	apply := func(line string) {
		t.Helper()
		rec, err := testrecord.Line(&e, startTime, line)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Parse(rec); err != nil {
			t.Fatal(err)
		}
		tab.Apply(&v)
		check(t, tab)
	}
	long := strings.Repeat("x", 900)
	for i := range 20 {
		apply(fmt.Sprintf("100 < open fd=%d name=/%s", i, long))
	}
	if st := tab.Stats(); st.DescriptorsLost == 0 || st.Descriptors == 0 || st.Text > 9100 {
		t.Errorf("got %+v", st)
	}
	// What there was no room for is not what it was before.
	apply("100 < open fd=0 name=/" + long + long[:100])
	if d, ok := tab.FD(0); ok {
		t.Errorf("descriptor 0 is %q still", d.Name)
	}
	for i := range 20 {
		apply(fmt.Sprintf("%d < execve res=0 exe=/bin/p comm=p args=%s env=%s", 200+i, strings.Repeat("a", 60000), strings.Repeat(long, 5)))
		if p := tab.Current().Program; len(p.Args) > maxText || len(p.Env) > maxText {
			t.Errorf("arguments have %d bytes, the environment %d", len(p.Args), len(p.Env))
		}
	}
	if st := tab.Stats(); st.ProgramsLost == 0 || tab.Current().Comm != "p" {
		t.Errorf("got %+v, name %q", st, tab.Current().Comm)
	}
	for i := range 20 {
		apply(fmt.Sprintf("%d > procexit", 200+i))
	}
	apply("100 > read fd=99")
	if st := tab.Stats(); st.Programs != 0 {
		t.Errorf("programs have %d bytes, want none", st.Programs)
	}
}

package state

import (
	"errors"
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
		if p := tab.Current().Program; len(p.Args) > maxList || len(p.Env) > maxList {
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

// TestLongLists: what a record tells of arguments and environment is kept, its end too.
func TestLongLists(t *testing.T) {
	tab := New(Config{})
	var e event.Encoder
	var v event.View
	argument, variable := strings.Repeat("a", 40000)+"z", strings.Repeat("b", 20000)+"z"
	rec, err := testrecord.Line(&e, startTime, "100 < execve res=0 exe=/bin/p comm=p args="+argument+" env="+variable)
	if err := errors.Join(err, v.Parse(rec)); err != nil {
		t.Fatal(err)
	}
	tab.Apply(&v)
	check(t, tab)
	p := tab.Current().Program
	if args, env := strings.TrimSuffix(p.Args, "\x00"), strings.TrimSuffix(p.Env, "\x00"); args != argument || env != variable {
		t.Errorf("of %d bytes of arguments %d are kept, of %d of the environment %d", len(argument), len(args), len(variable), len(env))
	}
}

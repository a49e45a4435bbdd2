package event

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/pdig/pdig/syscalls"
)

// Every event of the table, with values of the types that it says.
func TestTable(t *testing.T) {
	var (
		e Encoder
		v View
		s = newSynth()
	)
	for typ := range uint16(syscalls.NumEvents) {
		info := &syscalls.Events[typ]
		if len(info.Params) > MaxParams {
			t.Errorf("event %d has %d parameters, MaxParams is %d", typ, len(info.Params), MaxParams)
			continue
		}
		for range 5 {
			rec, err := s.event(&e, 7, typ, len(info.Params))
			if err != nil {
				t.Fatalf("event %d: %v", typ, err)
			}
			if err := v.Parse(rec); err != nil {
				t.Fatalf("event %d: %v", typ, err)
			}
			checkNumbers(t, &v)
			checkText(t, &v)
		}
	}
}

// checkNumbers wants a number of every type that has a fixed size.
func checkNumbers(t *testing.T, v *View) {
	t.Helper()
	for i := range v.Info().Params {
		p := &v.Info().Params[i]
		size := p.Type.Size()
		if size == 0 {
			continue
		}
		if len(v.Param(i)) != size {
			t.Errorf("event %d %s: got %d bytes, want %d", v.Type(), p.Name, len(v.Param(i)), size)
		}
		if _, ok := v.Uint(i); ok == (size > 8) {
			t.Errorf("event %d %s: Uint says %v of %d bytes", v.Type(), p.Name, ok, size)
		}
	}
}

// checkText wants a line, and in it a name for every parameter that is shown.
func checkText(t *testing.T, v *View) {
	t.Helper()
	p := Printer{}
	text := string(p.AppendInfo(nil, v, fixture{}))
	shown, count := Edition(v.Type())
	if generic(v.Type()) {
		count = 0
	}
	if count == 0 && text != "" || count > 0 && !strings.HasSuffix(text, " ") {
		t.Errorf("event %d: got %q", v.Type(), text)
	}
	checkLine(t, v.Type(), text)
	rest := text
	for i := range count {
		p := syscalls.Events[shown].Params[i]
		name := p.Name
		if shown < syscalls.CeilingA && p.Old != nil {
			name = p.Old.Name
		}
		_, after, ok := strings.Cut(rest, name+"=")
		if !ok {
			t.Fatalf("event %d: no %s in %q", v.Type(), name, text)
		}
		rest = after
	}
	for i := range v.NumParams() {
		one := p.AppendParam([]byte("\x00"), v, i, fixture{})[1:]
		checkLine(t, v.Type(), string(one))
		if i < count && !strings.Contains(text, "="+string(one)+" ") {
			t.Errorf("event %d: parameter %d is %q, not in %q", v.Type(), i, one, text)
		}
	}
}

func checkLine(t *testing.T, typ uint16, text string) {
	t.Helper()
	if strings.ContainsFunc(text, unicode.IsControl) {
		t.Fatalf("event %d: control character in %q", typ, text)
	}
}

// Parameters were only ever appended, and an older edition of an event has the
// same first parameters, so that they can be shown under its names.
func TestEdition(t *testing.T) {
	for typ := range uint16(syscalls.NumEvents) {
		info := &syscalls.Events[typ]
		if !slices.IsSortedFunc(info.Params, func(a, b syscalls.Param) int { return int(a.Since) - int(b.Since) }) {
			t.Errorf("event %d: a parameter stands before an older one", typ)
		}
		shown, count := Edition(typ)
		if typ < syscalls.CeilingA && shown != typ || shown != typ && syscalls.IsEnter(shown) != syscalls.IsEnter(typ) {
			t.Errorf("event %d is shown as %d", typ, shown)
		}
		if count > len(syscalls.Events[shown].Params) {
			t.Errorf("event %d is shown with %d parameters", typ, count)
		}
		for i := range count {
			old := &syscalls.Events[shown].Params[i]
			if i >= len(info.Params) {
				if old.Source.Op != syscalls.OpConst {
					t.Errorf("event %d: %s is not there and no constant", typ, old.Name)
				}
			} else if old.Type.Size() != info.Params[i].Type.Size() {
				t.Errorf("event %d: %s has another size in event %d", typ, info.Params[i].Name, shown)
			}
		}
	}
	type edition struct {
		Shown uint16
		Count int
	}
	for typ, want := range map[uint16]edition{
		1: {1, 1}, 7: {7, 2}, 223: {223, 20}, 293: {293, 20}, 307: {307, 6}, 186: {186, 4}, // fewer than today
		363: {125, 1}, 396: {62, 2}, 397: {63, 1}, 368: {296, 1}, // as older events
		352: {352, 0}, 353: {353, 4}, 401: {401, 4}, // that were not there
		65535: {65535, 0},
	} {
		shown, count := Edition(typ)
		if diff := cmp.Diff(want, edition{shown, count}); diff != "" {
			t.Errorf("event %d: want -, got +:\n%s", typ, diff)
		}
	}
}

func TestName(t *testing.T) {
	for typ, want := range map[uint16]string{0: "syscall", 7: "read", 363: "dup", 389: "accept", 397: "eventfd", 401: "prctl", 65535: "<unknown>"} {
		if got := Name(typ); got != want {
			t.Errorf("event %d: got %s, want %s", typ, got, want)
		}
	}
	var e Encoder
	for id, want := range map[int]string{0: "<unknown>", 67: "uname", 298: "sigreturn", 305: "setuid", 329: syscalls.SCNames[329], 65535: "<unknown syscall>"} {
		e.Begin(1, 1, syscalls.GenericX, 2)
		e.Int(2, uint64(id))
		e.Int(2, 63)
		rec, err := e.End()
		if err != nil {
			t.Fatal(err)
		}
		var v View
		if err := v.Parse(rec); err != nil {
			t.Fatal(err)
		}
		if got := v.Name(); got != want {
			t.Errorf("call %d: got %s, want %s", id, got, want)
		}
		if got := new(Printer).AppendParam(nil, &v, 1, fixture{}); string(got) != "63" {
			t.Errorf("nativeID: got %s, want 63, which lines do not have", got)
		}
	}
}

// A view that was never parsed is an event without anything.
func TestZeroView(t *testing.T) {
	var v View
	if got := new(Printer).AppendInfo(nil, &v, fixture{}); len(got) != 0 || v.Info() != nil || v.Param(0) != nil {
		t.Errorf("got %q", got)
	}
	if got := new(Printer).AppendParam(nil, &v, 0, fixture{}); len(got) != 0 {
		t.Errorf("got %q", got)
	}
}

// Parameters that a record does not have end the line; surplus ones do not.
func TestArity(t *testing.T) {
	var e Encoder
	for n, want := range []string{"", "fd=-2(ENOENT) ", "fd=-2(ENOENT) dirfd=99 ", "fd=-2(ENOENT) dirfd=99 name=r(r) "} {
		rec, err := putEvent(&e, 1, 100, 307, []string{"-2", "99", `"r"`}[:n])
		if err != nil {
			t.Fatal(err)
		}
		var v View
		if err := v.Parse(rec); err != nil {
			t.Fatal(err)
		}
		if got := new(Printer).AppendInfo(nil, &v, fixture{}); string(got) != want {
			t.Errorf("%d parameters: got %q, want %q", n, got, want)
		}
	}
	e.Begin(1, 100, 5, MaxParams)
	for i := range MaxParams {
		e.Int(8, uint64(i))
	}
	rec, err := e.End()
	if err != nil {
		t.Fatal(err)
	}
	var v View
	if err := v.Parse(rec); err != nil {
		t.Fatal(err)
	}
	if got := new(Printer).AppendInfo(nil, &v, fixture{}); string(got) != "res=0 " || v.NumParams() != MaxParams {
		t.Errorf("%d parameters: got %q", v.NumParams(), got)
	}
	if got := new(Printer).AppendParam(nil, &v, 1, fixture{}); string(got) != "1" {
		t.Errorf("a newer parameter: got %q, want 1", got)
	}
	if got := new(Printer).AppendParam(nil, &v, 2, fixture{}); len(got) != 0 {
		t.Errorf("a parameter of no table: got %q", got)
	}
	if !bytes.Equal(v.Param(MaxParams-1), u64(MaxParams-1)) {
		t.Errorf("got %x", v.Param(MaxParams-1))
	}
}

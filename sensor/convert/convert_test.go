package convert

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/syscalls"
)

// param is a value of which one can tell which parameter it was of which half.
func param(typ uint16, i int) []byte {
	p := &syscalls.Events[typ].Params[i]
	half := byte(0x10) << (typ & 1)
	switch size := p.Type.Size(); {
	case p.Type == syscalls.Dyn:
		return []byte{0, half, byte(i), 0, 0, 0, 0, 0, 0}
	case size > 0:
		b := make([]byte, size)
		b[0] = half + byte(i)
		return b
	}
	return []byte{half, byte(i), 0}
}

func record(t *testing.T, tid int64, typ uint16, n int) *event.View {
	t.Helper()
	var e event.Encoder
	e.Begin(1, tid, typ, n)
	for i := range n {
		e.Bytes(param(typ, i))
	}
	rec, err := e.End()
	if err != nil {
		t.Fatal(err)
	}
	v := &event.View{}
	if err := v.Parse(bytes.Clone(rec)); err != nil {
		t.Fatal(err)
	}
	return v
}

// want is where the parameters of the event come from that a conversion ends in.
func want(c *syscalls.Conversion, typ uint16, enter bool) (result uint16, params [][]byte) {
	came := typ
	for i := range c.Params {
		params = append(params, param(typ, i))
	}
	for taken := false; c != nil && c.Do != syscalls.ContainerJSON; {
		var next [][]byte
		takes := false
		for i, x := range c.Values {
			p := &syscalls.Events[c.To].Params[i]
			b := []byte(nil)
			switch {
			case x.From == syscalls.OfEvent:
				if b = params[x.Index]; len(b) > 0 && syscalls.Events[typ].Params[x.Index].Type == syscalls.Dyn && p.Type != syscalls.Dyn {
					b = b[1:]
				}
			case (x.From == syscalls.OfEnter || x.From == syscalls.OfEnterOrNothing) && enter && !taken:
				takes = true
				if int(x.Index) < len(syscalls.Events[came-1].Params) { // the oldest have none
					b = param(came-1, int(x.Index))
				}
			case x.From == syscalls.OfZero, x.From == syscalls.OfEnter:
				if b = make([]byte, p.Type.Size()); p.Type == syscalls.UID || p.Type == syscalls.GID {
					b = bytes.Repeat([]byte{0xff}, 4)
				}
			}
			if size := p.Type.Size(); size > 0 && len(b) > size {
				b = b[:size]
			}
			next = append(next, b)
		}
		taken = taken || takes
		typ, params = c.To, next
		var then *syscalls.Conversion
		for i := range syscalls.Conversions(typ) {
			if x := &syscalls.Conversions(typ)[i]; x.Params == len(params) {
				then = x
			}
		}
		c = then
	}
	return typ, params
}

// TestTable follows every line of the table, with and without an enter event.
func TestTable(t *testing.T) {
	lines := 0
	for typ := uint16(0); int(typ) < syscalls.NumEvents; typ++ {
		for i := range syscalls.Conversions(typ) {
			conv := &syscalls.Conversions(typ)[i]
			lines++
			if syscalls.IsEnter(typ) {
				continue // TestEnters
			}
			for _, enter := range []bool{true, false} {
				name := fmt.Sprintf("%s of %d, enter %t", syscalls.Events[typ].Enum, conv.Params, enter)
				c := New()
				if enter {
					c.Convert(record(t, 7, typ-1, len(syscalls.Events[typ-1].Params)), 0, false)
				}
				r := c.Convert(record(t, 7, typ, conv.Params), 0, false)
				var v event.View
				if err := v.Parse(r.Record); err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				code, params := want(conv, typ, enter)
				if v.Type() != code || v.NumParams() != len(params) || v.TID() != 7 || v.Time() != 1 {
					t.Errorf("%s: code %d with %d parameters, want %d with %d", name, v.Type(), v.NumParams(), code, len(params))
				}
				for i := range params {
					if !bytes.Equal(v.Param(i), params[i]) {
						t.Errorf("%s: parameter %d is %x, want %x", name, i, v.Param(i), params[i])
					}
				}
				if n := syscalls.NewestParams(code); v.NumParams() != n {
					t.Errorf("%s: %d parameters in the end, the newest event has %d", name, v.NumParams(), n)
				}
			}
		}
	}
	if lines < 200 {
		t.Errorf("%d lines, want some 250", lines)
	}
}

// TestEnters says of every enter event whether it is shown, goes on hidden, or
// waits.
func TestEnters(t *testing.T) {
	hidden := map[string]bool{"open": true, "openat": true, "openat2": true, "creat": true, "connect": true, "execve": true, "execveat": true}
	for typ := uint16(0); typ < syscalls.CodesNewest; typ += 2 {
		info := &syscalls.Events[typ]
		for _, n := range []int{0, 1, len(info.Params)} {
			if n > len(info.Params) {
				continue
			}
			r := New().Convert(record(t, 7, typ, n), 3, false)
			switch {
			case r.Record == nil || syscalls.Events[typ+1].Flags&syscalls.Unused != 0 || info.Class == syscalls.CategoryInternal:
			case !r.Hidden || !hidden[info.Name]:
				t.Errorf("%s of %d parameters is shown", info.Enum, n)
			}
		}
	}
}

// An exit takes the enter of its own call only, and once.
func TestKept(t *testing.T) {
	const readE, readX, closeX, procExit = 6, 7, 5, syscalls.ProcExitE
	fd := func(r Result) int64 {
		var v event.View
		if err := v.Parse(r.Record); err != nil {
			t.Fatal(err)
		}
		n, _ := v.Int(v.NumParams() - 2)
		return n
	}
	c := New()
	c.Convert(record(t, 7, readE, 2), 2, true)
	if r := c.Convert(record(t, 8, readX, 2), 0, false); fd(r) != 0 || r.Enter != nil {
		t.Error("the enter of another thread is taken")
	}
	if r := c.Convert(record(t, 7, readX, 4), 0, false); fd(r) != 0x22 || r.Enter != nil {
		t.Error("a whole exit takes the enter")
	}
	r := c.Convert(record(t, 7, readX, 2), 0, false)
	if fd(r) != 0x10 || r.Enter == nil || r.Enter.CPU != 2 || !r.Enter.Hidden {
		t.Errorf("fd %#x of %+v, want that of the enter", fd(r), r.Enter)
	}
	if r := c.Convert(record(t, 7, readX, 2), 0, false); fd(r) != 0 {
		t.Error("an enter is taken twice")
	}
	c.Convert(record(t, 7, readE, 2), 0, false)
	if r := c.Convert(record(t, 7, closeX, 1), 0, false); r.Enter != nil {
		t.Error("an enter of another call is taken")
	}
	c.Convert(record(t, 7, readE, 2), 0, false)
	c.Convert(record(t, 7, procExit, 1), 0, false)
	if r := c.Convert(record(t, 7, readX, 2), 0, false); fd(r) != 0 || c.kept.bytes != 0 {
		t.Error("the enter of a thread that has ended is taken")
	}
}

// What threads that never answer leave behind is bounded, and counted.
func TestBounds(t *testing.T) {
	c := New()
	v := record(t, 7, 6, 2)
	for tid := range int64(maxThreads + 5) {
		c.kept.keep(v, 0, false)
		if e := c.kept.threads[7]; e != nil { // as if it were of another thread
			c.kept.threads[1000+tid] = e
			delete(c.kept.threads, 7)
		}
	}
	if len(c.kept.threads) > maxThreads || c.Lost() == 0 {
		t.Errorf("%d threads are kept, %d forgotten", len(c.kept.threads), c.Lost())
	}
}

func TestAllocations(t *testing.T) {
	c := New()
	enter, exit := record(t, 7, 6, 2), record(t, 7, 7, 2)
	if n := testing.AllocsPerRun(100, func() {
		c.Convert(enter, 0, false)
		c.Convert(exit, 0, false)
	}); n != 0 {
		t.Errorf("%v allocations for a call, want 0", n)
	}
}

func FuzzConvert(f *testing.F) {
	f.Add([]byte{6, 0, 2}, []byte("fd and size of it"))
	f.Fuzz(func(t *testing.T, kinds, data []byte) {
		c := New()
		for len(kinds) >= 3 {
			typ := (uint16(kinds[0]) | uint16(kinds[1])<<8) % syscalls.NumEvents
			n := int(kinds[2]) % (event.MaxParams + 1)
			kinds = kinds[3:]
			var e event.Encoder
			e.Begin(1, int64(n), typ, n)
			for i := range n {
				e.Bytes(data[min(i, len(data)):min(2*i, len(data))])
			}
			rec, err := e.End()
			if err != nil {
				t.Skip(err)
			}
			var v, got event.View
			if err := v.Parse(rec); err != nil {
				t.Fatal(err)
			}
			if r := c.Convert(&v, 0, false); r.Record != nil {
				if err := got.Parse(r.Record); err != nil {
					t.Fatalf("%s of %d: %v", syscalls.Events[typ].Enum, n, err)
				}
			}
		}
	})
}

package ebpf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/kernelsrc"
)

// part is a section of an object that a test makes.
type part struct {
	name       string
	typ        uint32
	data       []byte
	link, info uint32
}

// makeELF makes a relocatable object for BPF.
func makeELF(parts []part) []byte {
	names := []byte{0}
	parts = append([]part{{}}, append(parts, part{name: ".shstrtab", typ: 3})...)
	offsets := make([]uint32, len(parts))
	for i, p := range parts {
		offsets[i] = uint32(len(names))
		names = append(append(names, p.name...), 0)
	}
	parts[len(parts)-1].data = names
	b := make([]byte, 64)
	var headers []byte
	for i, p := range parts {
		h := make([]byte, 64)
		le.PutUint32(h, offsets[i])
		le.PutUint32(h[4:], p.typ)
		le.PutUint64(h[24:], uint64(len(b)))
		le.PutUint64(h[32:], uint64(len(p.data)))
		le.PutUint32(h[40:], p.link)
		le.PutUint32(h[44:], p.info)
		if p.typ == 2 {
			le.PutUint64(h[56:], 24)
		}
		headers = append(headers, h...)
		b = append(b, p.data...)
	}
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint16(b[16:], 1)
	le.PutUint16(b[18:], 247)
	le.PutUint32(b[20:], 1)
	le.PutUint64(b[40:], uint64(len(b)))
	le.PutUint16(b[52:], 64)
	le.PutUint16(b[58:], 64)
	le.PutUint16(b[60:], uint16(len(parts)))
	le.PutUint16(b[62:], uint16(len(parts)-1))
	return append(b, headers...)
}

// probeParts are the sections of a small probe with two maps, whose symbols are not
// in their order, and a program that loads the second.
func probeParts() []part {
	def := func(typ, value, entries uint32) (b []byte) {
		for _, n := range []uint32{typ, 4, value, entries, 0, 0, 0} {
			b = le.AppendUint32(b, n)
		}
		return b
	}
	symbol := func(name uint32, value uint64) []byte {
		b := le.AppendUint32(nil, name)
		b = append(b, 0x11, 0)
		b = le.AppendUint16(b, 5)
		b = le.AppendUint64(b, value)
		return le.AppendUint64(b, mapDefSize)
	}
	code := make([]byte, 3*insn)
	code[0], code[2*insn] = loadImm, 0x95
	rel := append(make([]byte, 8), 1, 0, 0, 0, 1, 0, 0, 0)
	return []part{
		{name: "license", typ: 1, data: []byte("GPL\x00")},
		{name: "kernel_version", typ: 1, data: []byte("5.10.0-30-amd64\x00")},
		{name: "api_version", typ: 1, data: binary.LittleEndian.AppendUint64(nil, uint64(kernelsrc.MakeVersion(1, 0, 0)))},
		{name: "schema_version", typ: 1, data: binary.LittleEndian.AppendUint64(nil, uint64(kernelsrc.MakeVersion(1, 2, 3)))},
		{name: "maps", typ: 1, data: append(def(4, 4, 0), def(2, 12, 512)...)},
		{name: "raw_tracepoint/sys_exit&1", typ: 1, data: code},
		{name: ".strtab", typ: 3, data: []byte("\x00second\x00first\x00")},
		{name: ".symtab", typ: 2, data: append(make([]byte, 24), append(symbol(1, mapDefSize), symbol(8, 0)...)...), link: 7},
		{name: ".rel", typ: 9, data: rel, link: 8, info: 6},
	}
}

func parse(b []byte) (*object, error) { return readObject(bytes.NewReader(b), int64(len(b))) }

// TestObject: what an object says, with maps in the order of their offsets.
func TestObject(t *testing.T) {
	o, err := parse(makeELF(probeParts()))
	if err != nil {
		t.Fatal(err)
	}
	if o.license != "GPL" || o.release != "5.10.0-30-amd64" || o.api.String() != "1.0.0" || o.schema.String() != "1.2.3" {
		t.Errorf("got %q %q %v %v", o.license, o.release, o.api, o.schema)
	}
	if len(o.maps) != 2 || o.maps[0] != (mapDef{"first", 4, 4, 4, 0, 0}) || o.maps[1] != (mapDef{"second", 2, 4, 12, 512, 0}) {
		t.Errorf("maps %+v", o.maps)
	}
	if len(o.programs) != 1 {
		t.Fatalf("%d programs", len(o.programs))
	}
	if p := o.programs[0]; !p.raw || p.event != "sys_exit" || len(p.refs) != 1 || p.refs[0] != (ref{0, 1}) {
		t.Errorf("program %+v", p)
	}
}

// TestBadObject: each object lacks something or says something wrong, and one line
// says what.
func TestBadObject(t *testing.T) {
	for name, row := range map[string]struct {
		change func([]part) []part
		want   string
	}{
		"no maps":      {func(p []part) []part { p[4].name = "x"; return p }, `no section "maps"`},
		"no license":   {func(p []part) []part { p[0].name = "x"; return p }, `no section "license"`},
		"no text":      {func(p []part) []part { p[1].data = nil; return p }, "a text of 0 bytes"},
		"version":      {func(p []part) []part { p[2].data = p[2].data[:4]; return p }, "has 4 bytes, not 8"},
		"short map":    {func(p []part) []part { p[4].data = p[4].data[:40]; return p }, `map "second" is outside`},
		"no program":   {func(p []part) []part { p[5].name = "kprobe/x"; return p }, "no programs"},
		"half insn":    {func(p []part) []part { p[5].data = p[5].data[:20]; return p }, "ends within an instruction"},
		"ref outside":  {func(p []part) []part { le.PutUint64(p[8].data, 1<<60); return p }, "where no map is loaded"},
		"ref last":     {func(p []part) []part { le.PutUint64(p[8].data, 16); return p }, "where no map is loaded"},
		"ref no map":   {func(p []part) []part { p[8].data[12] = 77; return p }, "something that is no map"},
		"symbol value": {func(p []part) []part { le.PutUint64(p[7].data[32:], ^uint64(0)); return p }, `is outside`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(makeELF(row.change(probeParts())))
			if err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}

// TestPipe: nobody is waited for to write an object.
func TestPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "probe.o")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- Check(pipe) }()
	select {
	case err := <-done:
		if err == nil || err.Error() != "no regular file" {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it waits")
	}
}

// FuzzObject: no object makes the reader fail otherwise than with an error.
func FuzzObject(f *testing.F) {
	f.Add(makeELF(probeParts()))
	f.Add([]byte("\x7fELF"))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := parse(b)
		if err != nil {
			return
		}
		for _, p := range o.programs {
			for _, r := range p.refs {
				if r.m >= len(o.maps) || r.offset+2*insn > uint64(len(p.code)) {
					t.Errorf("reference %+v", r)
				}
			}
		}
	})
}

// TestTables: the tables of each version are whole: every event and call refers to
// something that there is.
func TestTables(t *testing.T) {
	files, err := os.ReadDir("tables")
	if err != nil || len(files) == 0 {
		t.Fatal(err, len(files))
	}
	for _, file := range files {
		text, err := tableFiles.ReadFile("tables/" + file.Name())
		if err != nil {
			t.Fatal(err)
		}
		tab, err := parseTables(string(text))
		if err != nil {
			t.Fatal(file.Name(), err)
		}
		if len(tab.fillers) < 100 || len(tab.events) < 300 || len(tab.calls) < 290 {
			t.Errorf("%s: %d fillers, %d events, %d calls", file.Name(), len(tab.fillers), len(tab.events), len(tab.calls))
		}
		for typ, e := range tab.events {
			if e.filler < 0 || e.filler >= len(tab.fillers) || len(e.args) > maxArgs {
				t.Errorf("%s: event %d: %+v", file.Name(), typ, e)
			}
			if _, err := e.infoValue(newEventSize); err != nil {
				t.Errorf("%s: event %d: %v", file.Name(), typ, err)
			}
		}
		for nr, c := range tab.calls {
			if nr < 0 || nr >= 512 || c.enter >= len(tab.events) || c.exit >= len(tab.events) {
				t.Errorf("%s: call %d: %+v", file.Name(), nr, c)
			}
		}
	}
	if _, err := findTables(kernelsrc.MakeVersion(9, 9, 9), 0); err == nil || !strings.Contains(err.Error(), "API version 9.9.9") {
		t.Errorf("got %v", err)
	}
}

// TestState: the counters of each generation are found, by the sizes and offsets of
// its values.
func TestState(t *testing.T) {
	for _, g := range []struct{ size, seen, full, large, memory, bug int }{
		{85, 40, 48, 56, 64, 72}, {181, 40, 48, 152, 160, 168}, {169, 44, 52, 140, 148, 156},
	} {
		b := make([]byte, g.size)
		for i, at := range []int{g.seen, g.full, g.large, g.memory, g.bug} {
			le.PutUint64(b[at:], uint64(i+1))
		}
		if got := parseState(b); got != (tally{seen: 1, full: 2, large: 3, memory: 4, bug: 5}) {
			t.Errorf("size %d: %+v", g.size, got)
		}
	}
}

// TestOtherRelease: a probe for another kernel is refused, with both releases.
func TestOtherRelease(t *testing.T) {
	parts := probeParts()
	parts[1].data = []byte("1.2.3-other\x00")
	file := filepath.Join(t.TempDir(), "probe.o")
	if err := os.WriteFile(file, makeELF(parts), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Config{File: file})
	var bad *ReleaseError
	if !errors.As(err, &bad) || bad.Probe != "1.2.3-other" || bad.Running == "" || !strings.Contains(err.Error(), bad.Running) {
		t.Errorf("got %v", err)
	}
}

package capture

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/pdig/pdig/event"
)

// processEntry is an entry of a process list of a version, with its tail.
func processEntry(version int, tail ...[]byte) []byte {
	var p [][]byte
	add := func(since int, parts ...[]byte) {
		if version >= since {
			p = append(p, parts...)
		}
	}
	add(1, u64(101), u64(100), u64(1))
	add(6, u64(90))
	add(8, u64(91))
	add(1, str("comm"), str("exe"))
	add(7, str("/bin/exe"))
	add(1, str("-a\x00"), str("/srv"), u64(1024), u32(5), u32(6), u32(7))
	add(2, u32(10), u32(11), u32(12), u64(13), u64(14))
	add(3, str("A=b\x00"))
	add(4, u64(2), u64(3), str("cpu=/\x00"))
	add(5, str("/root"))
	p = append(p, tail...)
	if version < 9 {
		return bytes.Join(p, nil)
	}
	return sized(4, p...)
}

func TestProcessLists(t *testing.T) {
	full := Process{TID: 101, PID: 100, PTID: 1, SID: 90, VPGID: 91, Comm: "comm", Exe: "exe", ExePath: "/bin/exe",
		Args: "-a\x00", Cwd: "/srv", FDLimit: 1024, Flags: 5, UID: 6, GID: 7, VMSize: 10, VMRSS: 11, VMSwap: 12,
		MajorFaults: 13, MinFaults: 14, Env: "A=b\x00", VTID: 2, VPID: 3, Cgroups: "cpu=/\x00", Root: "/root",
		LoginUID: ^uint32(0), PGID: -1}
	lacks := []func(p *Process){ // what a version lacks, from 8 down
		func(*Process) {},
		func(p *Process) { p.VPGID = -1 },
		func(p *Process) { p.ExePath = "" },
		func(p *Process) { p.SID = -1 },
		func(p *Process) { p.Root = "" },
		func(p *Process) { p.VTID, p.VPID, p.Cgroups = -1, -1, "" },
		func(p *Process) { p.Env = "" },
		func(p *Process) { p.VMSize, p.VMRSS, p.VMSwap, p.MajorFaults, p.MinFaults = 0, 0, 0, 0, 0 },
	}
	types := [][]uint32{{typeProcesses8}, {typeProcesses7}, {typeProcesses6}, {typeProcesses5}, {typeProcesses4},
		{typeProcesses3, typeProcesses3Old}, {typeProcesses2, typeProcesses2Old}, {typeProcesses1, typeProcesses1Old}}
	want := full
	for i, lack := range lacks {
		lack(&want)
		for _, typ := range types[i] {
			e := processEntry(8 - i)
			var f file
			f.section().block(typ, e, e).block(typeEvent2, u16(0), rec("/"))
			got, err := read(&f)
			if diff := cmp.Diff([]string{line(&Section{}), line(&want), line(&want)}, got[:min(3, len(got))]); diff != "" || err != nil {
				t.Errorf("list %#x: %v (-want +got)\n%s", typ, err, diff)
			}
		}
	}

	newer := full
	newer.PIDNSStart, newer.TTY, newer.LoginUID, newer.ExeWritable = 1, 2, 3, true
	newer.CapInheritable, newer.CapPermitted, newer.CapEffective = 4, 5, 6
	newer.UpperLayer, newer.ExeIno, newer.ExeInoCtime, newer.ExeInoMtim, newer.MemFD, newer.LowerLayer, newer.PGID = true, 7, 8, 9, true, true, 10
	older := full
	older.LoginUID, older.ExeWritable = 3, true
	caps := older
	caps.CapInheritable, caps.CapPermitted, caps.CapEffective = 4, 5, 6
	for name, row := range map[string]struct {
		want Process
		tail [][]byte
	}{
		"none":       {full, nil},
		"five bytes": {older, [][]byte{u32(3), {1}}},
		"old":        {caps, [][]byte{u32(3), {1}, u64(4), u64(5), u64(6)}},
		"new":        {newer, [][]byte{u64(1), u32(2), u32(3), {1}, u64(4), u64(5), u64(6), {1}, u64(7), u64(8), u64(9), {1, 1}, u64(10)}},
		"newer":      {newer, [][]byte{u64(1), u32(2), u32(3), {1}, u64(4), u64(5), u64(6), {1}, u64(7), u64(8), u64(9), {1, 1}, u64(10), make([]byte, 99)}},
	} {
		e := processEntry(9, row.tail...)
		var f file
		f.section().block(typeProcesses9, e, e).block(typeEvent2, u16(0), rec("/"))
		got, err := read(&f)
		if diff := cmp.Diff([]string{line(&Section{}), line(&row.want), line(&row.want)}, got[:min(3, len(got))]); diff != "" || err != nil {
			t.Errorf("tail %s: %v (-want +got)\n%s", name, err, diff)
		}
	}
}

// everything is a file with every type of block, which others have from
// testdata/everything.scap.
func everything() *file {
	host := make([]byte, 128)
	copy(host, "host")
	v4 := bytes.Join([][]byte{{10, 0, 0, 1}, {255, 0, 0, 0}, {10, 255, 255, 255}}, nil)
	v6 := bytes.Repeat([]byte{0xfe, 0x80}, 24)
	root := bytes.Join([][]byte{{0}, u32(0), u32(0), str("root"), str("/root"), str("/bin/sh")}, nil)
	staff := bytes.Join([][]byte{{1}, u32(50), str("staff")}, nil)
	fd := func(number int, typ FDType, parts ...[]byte) []byte {
		return bytes.Join(append([][]byte{u64(number), u64(77), {byte(typ)}}, parts...), nil)
	}
	fds := [][]byte{
		fd(0, FDFile, str("/a")), fd(1, FDFifo, str("pipe:[1]")),
		fd(2, FDIPv4, []byte{1, 2, 3, 4, 5, 6, 7, 8}, u16(80), u16(90), []byte{L4TCP}),
		fd(3, FDIPv4Listen, []byte{1, 2, 3, 4}, u16(80), []byte{L4UDP}),
		fd(4, FDIPv6, v6[:32], u16(80), u16(90), []byte{L4TCP}),
		fd(5, FDIPv6Listen, v6[:16], u16(80), []byte{L4Raw}),
		fd(6, FDUnix, u64(1), u64(2), str("/s")),
		fd(7, FDUnknown),
	}
	counted := [][]byte{u64(101), sized(4, fd(8, FDFile2, u32(3), str("/b"), u32(9))), sized(4, fd(9, numFDTypes, u64(1), u64(2)))}
	for _, b := range fds {
		counted = append(counted, sized(4, b))
	}
	plain := bytes.Join(append([][]byte{u64(101)}, fds...), nil)
	var f file
	f.section()
	for _, typ := range []uint32{typeMachine, typeMachineOld} {
		f.block(typ, u32(2), u64(3), u64(4), host, u64(5), u64(6), u64(7), u64(8))
	}
	for _, typ := range []uint32{typeInterfaces, typeInterfacesOld} {
		f.block(typ, u16(kindIPv4), u16(2), v4, u64(1), []byte("lo"), u16(kindIPv6NoSpeed), u16(2), v6, []byte("e6"))
	}
	f.block(typeInterfaces2, sized(0, u16(kindIPv4NoSpeed), u16(2), v4, []byte("lo")), sized(0, u16(kindIPv6), u16(2), v6, u64(1), []byte("e6"), []byte("more")))
	f.block(typeUsers, root, staff).block(typeUsersOld, root, staff)
	f.block(typeUsers2, sized(4, root), sized(4, staff, []byte("more")))
	for _, typ := range []uint32{
		typeProcesses1, typeProcesses1Old, typeProcesses2, typeProcesses2Old, typeProcesses3, typeProcesses3Old,
		typeProcesses4, typeProcesses5, typeProcesses6, typeProcesses7, typeProcesses8, typeProcesses9,
	} {
		f.block(typ, processEntry(processVersion(typ)))
	}
	f.block(typeFDs, plain).block(typeFDsOld, plain).block(typeFDs2, counted...)
	f.block(0x999, []byte("nobody knows"))
	r := rec("/x")
	f.block(typeEvent2, u16(1), r).block(typeEvent2Flags, u16(2), u32(1), r).block(typeEvent2Flags, u16(2), u32(2), r)
	f.block(typeEventLarge, u16(3), r).block(typeEventLargeFlags, u16(4), u32(1), r)
	f.block(typeEvent, u16(5), old(r)).block(typeEventOld, u16(6), old(r)).block(typeEventFlags, u16(7), u32(1), old(r))
	f.block(typeSection, u32(magic), u16(majorVersion), u16(9), u64(-1), []byte("a comment of some editor"))
	f.block(typeEvent2, u16(1), r)
	return &f
}

func TestEverything(t *testing.T) {
	golden(t, "testdata/everything.scap", everything().String())
	lines, err := read(everything())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/everything.txt", strings.Join(lines, "\n")+"\n")
}

// golden compares a file of the test data, or writes it.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: (-want +got)\n%s", path, diff)
	}
}

// TestPacked wants the same of a file that is packed, that comes byte by byte,
// and that comes through a pipe.
func TestPacked(t *testing.T) {
	b := everything().Bytes()
	want, err := read(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	pack := func(b []byte) []byte {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		z.Write(b)
		z.Close()
		return packed.Bytes()
	}
	packed := pack(b)
	for name, src := range map[string]io.Reader{
		"packed": bytes.NewReader(packed), "bytes": iotest.OneByteReader(bytes.NewReader(b)),
		"packed bytes": iotest.OneByteReader(bytes.NewReader(packed)),
		"two parts":    bytes.NewReader(slices.Concat(pack(b[:99]), pack(b[99:]))),
		"zeros behind": bytes.NewReader(append(slices.Clone(packed), make([]byte, 512)...)),
		"junk behind":  bytes.NewReader(append(slices.Clone(packed), "\x1fjunk"...)),
	} {
		got, err := read(src)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
		}
	}
	if got, err := read(bytes.NewReader(packed[:len(packed)-20])); !errors.Is(err, ErrCut) || len(got) == 0 {
		t.Errorf("packed and cut: got %d lines, %v, want some, %v", len(got), err, ErrCut)
	}
}

// TestPipe wants every event of a pipe as soon as it was written.
func TestPipe(t *testing.T) {
	from, to := io.Pipe()
	r, err := Open("-", from, nil)
	if err != nil {
		t.Fatal(err)
	}
	next := func() ([]byte, error) {
		for {
			b, err := r.Next()
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				return b, err
			}
		}
	}
	var f file
	f.section().block(typeProcesses9, processEntry(9))
	f.block(typeEvent2, u16(0), rec("/"))
	b := f.Bytes()
	done := make(chan error, 1)
	go func() { // the process list comes in two parts, a while between them
		_, err := to.Write(b[:60])
		for range 3 {
			if err == nil {
				_, err = to.Write(nil)
			}
		}
		_, err = to.Write(b[60:])
		done <- err
	}()
	got, err := next()
	if !bytes.Equal(got, rec("/")) || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("nothing written: got %v, want %v", err, os.ErrDeadlineExceeded)
	}
	to.Close()
	if _, err := next(); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want io.EOF", err)
	}
}

func TestFaults(t *testing.T) {
	start := func() *file { return new(file).section() }
	good := func() *file { return start().block(typeEvent2, u16(0), rec("/")) } // 28 + 60 bytes
	end := int64(good().Len())
	wrongTrailer := good().Bytes()
	wrongTrailer[len(wrongTrailer)-1]++
	long := rec("/")
	binary.NativeEndian.PutUint32(long[offLen:], uint32(len(long)+8))
	short := rec("/")
	binary.NativeEndian.PutUint32(short[offLen:], 25)
	noParams := old(rec("/"))
	noParams[22]++
	for name, row := range map[string]struct {
		file   []byte
		lines  int // events and entries before it
		offset int64
		err    error
	}{
		"empty":                {nil, 0, 0, ErrFormat},
		"foreign":              {[]byte("root:x:0:0:root:/root:/bin/bash\n"), 0, 0, ErrFormat},
		"short":                {[]byte("x"), 0, 0, ErrFormat},
		"pcapng of others":     {new(file).block(1, u64(0), u64(0)).Bytes(), 0, 0, ErrFormat},
		"no magic":             {new(file).block(typeSection, u64(0), u64(0)).Bytes(), 0, 0, ErrFormat},
		"version":              {new(file).block(typeSection, u32(magic), u16(2), u16(0), u64(-1)).Bytes(), 0, 0, ErrVersion},
		"no events":            {start().Bytes(), 1, 28, ErrNoEvents},
		"cut in a head":        {append(good().Bytes(), 1, 2, 3), 2, end, ErrCut},
		"cut in an event":      {append(good().Bytes(), good().Bytes()[28:80]...), 2, end, ErrCut},
		"block of 0 bytes":     {append(good().Bytes(), append(u32(typeEvent2), u32(0)...)...), 2, end, ErrBlock},
		"list of 0 bytes":      {append(start().Bytes(), append(u32(typeUsers2), u32(0)...)...), 1, 28, ErrBlock},
		"huge event":           {append(good().Bytes(), append(u32(typeEvent2), u32(1<<31)...)...), 2, end, ErrTooLarge},
		"huge large event":     {append(good().Bytes(), append(u32(typeEventLarge), u32(1<<32-4)...)...), 2, end, ErrTooLarge},
		"large and cut":        {append(good().Bytes(), append(u32(typeEventLarge), u32(16<<20)...)...), 2, end, ErrCut},
		"huge list":            {append(start().Bytes(), append(u32(typeUsers2), u32(1<<32-4)...)...), 1, 28, ErrCut},
		"trailer":              {wrongTrailer, 1, 28, ErrBlock},
		"record too long":      {start().block(typeEvent2, u16(0), long).Bytes(), 1, 28, ErrBlock},
		"record too short":     {start().block(typeEvent2, u16(0), short).Bytes(), 1, 28, ErrBlock},
		"no record":            {start().block(typeEvent2, u16(0)).Bytes(), 1, 28, ErrBlock},
		"parameters":           {start().block(typeEvent, u16(0), noParams).Bytes(), 1, 28, ErrBlock},
		"list among events":    {good().block(typeUsers2).Bytes(), 2, end, ErrMixed},
		"unknown among events": {good().block(0x999).Bytes(), 2, end, ErrMixed},
		"entry":                {start().block(typeUsers2, u32(1000), u64(0)).Bytes(), 1, 28, errEntry},
		"entry of 0 bytes":     {start().block(typeProcesses9, u32(0), u64(0)).Bytes(), 1, 28, errEntry},
		"name":                 {start().block(typeUsers, []byte{1}, u32(1), u16(2000), make([]byte, 3000)).Bytes(), 1, 28, errString},
		"interface":            {start().block(typeInterfaces, u16(9), u16(0), make([]byte, 90)).Bytes(), 1, 28, errKind},
		"descriptor":           {start().block(typeFDs, u64(1), u64(1), u64(1), []byte{99}, make([]byte, 90)).Bytes(), 1, 28, errKind},
	} {
		lines, err := read(bytes.NewReader(row.file))
		var fault *FormatError
		if !errors.As(err, &fault) || !errors.Is(err, row.err) || fault.Offset != row.offset || len(lines) != row.lines {
			t.Errorf("%s: got %d lines, %v, want %d, offset %d: %v", name, len(lines), err, row.lines, row.offset, row.err)
		}
	}
}

// TestCut cuts a file everywhere: what was before is always there.
func TestCut(t *testing.T) {
	b := everything().Bytes()
	all, err := read(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for n := range b {
		got, err := read(bytes.NewReader(b[:n]))
		if len(got) > len(all) || !slices.Equal(all[:len(got)], got) {
			t.Fatalf("%d bytes: got something else than a part", n)
		}
		var fault *FormatError
		if err != nil && !errors.As(err, &fault) {
			t.Fatalf("%d bytes: got %v, want an offset", n, err)
		}
		if err == nil && (len(got) == 0 || !strings.HasPrefix(got[len(got)-1], "event") && !strings.HasPrefix(got[len(got)-1], "Section")) {
			t.Fatalf("%d bytes: no error after %q", n, got)
		}
		if fault != nil && (fault.Offset > int64(n) || strings.Contains(fault.Error(), "\n")) {
			t.Fatalf("%d bytes: %v", n, fault)
		}
	}
}

func TestReadAllocations(t *testing.T) {
	var f file
	f.section()
	for range 2000 {
		f.block(typeEvent2, u16(0), rec("/")).block(typeEvent, u16(0), old(rec("/")))
	}
	r := NewReader(&f, "test", nil)
	var v event.View
	one := func() {
		b, err := r.Next()
		if err == nil {
			err = v.Parse(b)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		one()
	}
	if n := testing.AllocsPerRun(1000, one); n != 0 {
		t.Errorf("got %v allocations per event, want 0", n)
	}
}

// endless is a section and then the same events for ever.
type endless struct {
	head   *bytes.Reader
	events *bytes.Reader
}

func (e *endless) Read(b []byte) (int, error) {
	if e.head.Len() > 0 {
		return e.head.Read(b)
	}
	if e.events.Len() == 0 {
		e.events.Seek(0, io.SeekStart)
	}
	return e.events.Read(b)
}

func newEndless(typ uint32, b []byte) *endless {
	var events file
	for range 1000 {
		events.block(typ, u16(0), b)
	}
	return &endless{bytes.NewReader(new(file).section().Bytes()), bytes.NewReader(events.Bytes())}
}

func BenchmarkNext(b *testing.B) {
	for name, src := range map[string]*endless{"today": newEndless(typeEvent2, rec("/srv/data")), "first version": newEndless(typeEvent, old(rec("/srv/data")))} {
		b.Run(name, func(b *testing.B) {
			r := NewReader(src, "endless", nil)
			b.ReportAllocs()
			b.SetBytes(int64(len(rec("/srv/data"))))
			for b.Loop() {
				if _, err := r.Next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func FuzzReader(f *testing.F) {
	f.Add(everything().Bytes())
	for version := 1; version <= 9; version++ {
		typ := []uint32{0, typeProcesses1, typeProcesses2, typeProcesses3, typeProcesses4, typeProcesses5, typeProcesses6, typeProcesses7, typeProcesses8, typeProcesses9}[version]
		f.Add(new(file).section().block(typ, processEntry(version)).block(typeEvent, u16(0), old(rec("/"))).Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		lines, err := read(bytes.NewReader(b))
		var fault *FormatError
		if err != nil && (!errors.As(err, &fault) || fault.Offset < 0) {
			t.Errorf("got %v without an offset", err)
		}
		if len(lines) > len(b) {
			t.Errorf("%d lines of %d bytes", len(lines), len(b))
		}
		// What the file tells is told again by what is written of it.
		var entries []string
		again := new(bytes.Buffer)
		w := NewWriter(again, false)
		r := NewReader(bytes.NewReader(b), "test", func(e Entry) { w.Add(e) })
		n := 0
		for rec, err := r.Next(); err == nil; rec, err = r.Next() {
			cpu, hidden := r.Place()
			if err := w.Event(cpu, hidden, rec); err != nil {
				t.Fatal(err)
			}
			n++
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r = NewReader(again, "again", func(e Entry) { entries = append(entries, line(e)) })
		m := 0
		for err = nil; ; m++ {
			if _, err = r.Next(); err != nil {
				break
			}
		}
		if m != n || n > 0 && !errors.Is(err, io.EOF) {
			t.Errorf("%d events were written, %d read: %v", n, m, err)
		}
	})
}

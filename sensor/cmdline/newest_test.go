package cmdline

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/capture"
	"github.com/pdig/pdig/syscalls"
)

// script is a capture in the making.
type script struct {
	bytes.Buffer
	w    *capture.Writer
	enc  event.Encoder
	time uint64
}

// begins is when scripts begin: 22:13:20 UTC of a day in 2023.
const begins = 1700000000000000000

func newScript() *script {
	s := &script{time: begins}
	s.w = capture.NewWriter(&s.Buffer, false)
	s.w.Add(&capture.Machine{CPUs: 2, Memory: 1 << 30, MaxPID: 1 << 22, Host: "host"})
	for i, addr := range []string{"127.0.0.1", "10.0.0.1"} {
		s.w.Add(&capture.Interface{
			Name: fmt.Sprintf("eth%d", i), Addr: netip.MustParseAddr(addr),
			Mask: netip.MustParseAddr("255.255.255.0"), Broadcast: netip.MustParseAddr("10.0.0.255"),
		})
	}
	s.w.Add(&capture.User{UID: 0, Name: "root", Home: "/root", Shell: "/bin/sh"})
	s.w.Add(&capture.User{UID: 7, GID: 7, Name: "seven", Home: "/home/seven", Shell: "/bin/sh"})
	s.w.Add(&capture.Group{GID: 0, Name: "root"})
	s.w.Add(&capture.Group{GID: 7, Name: "sevens"})
	return s
}

// process adds a process with descriptors to the lists.
func (s *script) process(tid int64, comm string) {
	s.w.Add(&capture.Process{
		TID: tid, PID: tid, PTID: 1, SID: tid, VPGID: tid, VTID: tid, VPID: tid, Comm: comm, Exe: comm, ExePath: "/usr/bin/" + comm,
		Args: "-x\x00", Cwd: "/srv", FDLimit: 1024, Env: "HOME=/root\x00", Cgroups: "cpu=/\x00", Root: "/",
	})
}

// descriptors adds what a process has open.
func (s *script) descriptors(tid int64) {
	at := netip.MustParseAddrPort
	for _, fd := range []*capture.FD{
		{Number: 1, Type: capture.FDFile2, Name: "/dev/null"},
		{Number: 3, Type: capture.FDFile2, Name: "/srv/data/log.txt", Flags: 1, Ino: 77, Dev: 5},
		{Number: 4, Type: capture.FDDirectory, Name: "/srv/data"},
		{Number: 5, Type: capture.FDIPv4, Source: at("10.0.0.1:4000"), Dest: at("10.0.0.2:80"), L4: capture.L4TCP},
		{Number: 6, Type: capture.FDUnix, Name: "/run/s", Sockets: [2]uint64{0xaa, 0xbb}},
		{Number: 7, Type: capture.FDFifo, Name: "pipe:[5]"},
	} {
		fd.TID = tid
		s.w.Add(fd)
	}
}

// event adds an event of raw parameters.
func (s *script) event(t testing.TB, tid int64, typ uint16, params ...[]byte) {
	t.Helper()
	s.time += 1000
	s.enc.Begin(s.time, tid, typ, len(params))
	for _, p := range params {
		s.enc.Bytes(p)
	}
	rec, err := s.enc.End()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.w.Event(0, false, rec); err != nil {
		t.Fatal(err)
	}
}

// file writes the capture and returns its name.
func (s *script) file(t testing.TB) string {
	t.Helper()
	if err := s.w.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "capture.scap")
	if err := os.WriteFile(name, s.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	return name
}

// sample is a value for parameter i of an event, of which there are some.
func sample(typ uint16, i, variant int) []byte {
	p := &syscalls.Events[typ].Params[i]
	var e event.Encoder
	e.Begin(0, 0, 0, 1)
	e.Open()
	odd := variant == 1
	pick := func(usual, other uint64) uint64 {
		if odd {
			return other
		}
		return usual
	}
	n := int(typ)
	switch size := p.Type.Size(); p.Type {
	case syscalls.CharBuf, syscalls.FSPath, syscalls.FSRelPath:
		text := fmt.Sprintf("/abs/./p%d-%d\x00", n, i)
		if odd {
			text = fmt.Sprintf("rel/../p%d-%d\x00", n, i)
		}
		e.Append([]byte(text))
	case syscalls.ByteBuf:
		if !odd {
			e.Append([]byte(fmt.Sprintf("data %d\x00\n", i)))
		}
	case syscalls.CharBufArray, syscalls.CharBufPairs:
		e.Append([]byte("a=b\x00c=d\x00"))
	case syscalls.SockAddr:
		e.Append([]byte{2, 10, 0, 0, 2, 80, 0})
	case syscalls.SockTuple:
		if !odd {
			e.Append([]byte{2, 10, 0, 0, 1, 0xa0, 0x0f, 10, 0, 0, 2, 80, 0})
		}
	case syscalls.FDList:
		e.Append([]byte{2, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0x44, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0})
	case syscalls.Dyn:
		e.Append([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8}[:1+max(p.Dyn[0].Type.Size(), 3)])
	case syscalls.FD:
		if syscalls.Events[typ].Flags&syscalls.CreatesFD != 0 {
			e.AppendInt(size, pick(uint64(20+i), ^uint64(1)))
			break
		}
		e.AppendInt(size, pick(3, ^uint64(1)))
	case syscalls.PID:
		if i == 0 {
			n += 8000 // a new one
		}
		e.AppendInt(size, pick(uint64(1000+n), ^uint64(0)))
	case syscalls.Errno:
		e.AppendInt(size, pick(0, ^uint64(1)))
	case syscalls.SyscallID:
		e.AppendInt(size, pick(63, 0))
	case syscalls.UID, syscalls.GID:
		e.AppendInt(size, pick(7, ^uint64(0)))
	case syscalls.SigType:
		e.AppendInt(size, pick(9, 64))
	case syscalls.RelTime, syscalls.AbsTime:
		e.AppendInt(size, pick(1500000000, ^uint64(0)))
	default:
		e.AppendInt(size, pick(uint64(1+i), 0xfffffffffffffff0))
	}
	b := bytes.Clone(e.Buf())
	if b == nil {
		b = []byte{}
	}
	return b
}

func samples(typ uint16, n, variant int) [][]byte {
	params := make([][]byte, n)
	for i := range params {
		params[i] = sample(typ, i, variant)
	}
	return params
}

// counts are the numbers of parameters that an event can have.
func counts(typ uint16) []int {
	list := []int{syscalls.NewestParams(typ)}
	for _, c := range syscalls.Conversions(typ) {
		if c.Params != list[0] {
			list = append(list, c.Params)
		}
	}
	return list
}

// single reports whether an event is no half of a call.
func single(typ uint16) bool {
	return syscalls.Events[typ+1].Flags&syscalls.Unused != 0 || syscalls.Events[typ].Class == syscalls.CategoryInternal
}

// told are events that scripts of the whole table leave out: what they have for
// parameters is no text of their own, and what changes the lists of users.
func told(typ uint16) bool {
	switch syscalls.Events[typ].Name {
	case "container", "useradded", "userdeleted", "groupadded", "groupdeleted", "pluginevent", "asyncevent", "tracer":
		return true
	}
	return false
}

// oldBPF is the exit of bpf that has its result in one of several types. sysdig
// 0.41.4 takes the byte that says in which for a part of it.
const oldBPF = 297

// tableScript has every event with every number of parameters, after its enter
// event or without it.
func tableScript(t testing.TB, variant int, enters bool) string {
	s := newScript()
	tid := func(typ uint16) int64 { return 1000 + int64(typ) }
	for typ := uint16(0); typ < syscalls.CodesNewest; typ++ {
		s.process(tid(typ), fmt.Sprintf("p%d", typ))
	}
	for typ := uint16(0); typ < syscalls.CodesNewest; typ++ {
		s.descriptors(tid(typ))
	}
	s.event(t, 5000, 5, []byte{0, 0, 0, 0, 0, 0, 0, 0}, []byte{3, 0, 0, 0, 0, 0, 0, 0})
	for typ := uint16(0); typ < syscalls.CodesNewest; typ++ {
		if told(typ) {
			continue
		}
		if syscalls.IsEnter(typ) {
			if single(typ) {
				s.event(t, tid(typ), typ, samples(typ, syscalls.NewestParams(typ), variant)...)
			}
			continue
		}
		if syscalls.Events[typ].Flags&syscalls.Unused != 0 || typ == oldBPF {
			continue
		}
		for _, n := range counts(typ) {
			if enters {
				s.event(t, tid(typ), typ-1, samples(typ-1, syscalls.NewestParams(typ-1), variant)...)
			}
			s.event(t, tid(typ), typ, samples(typ, n, variant)...)
		}
	}
	return s.file(t)
}

// newestLines are what the sensor prints of a capture in the newest style.
func newestLines(t testing.TB, file string, args ...string) string {
	t.Helper()
	var got, stderr bytes.Buffer
	if status := run(append([]string{"-r", file, "--style", "newest"}, args...), nil, &got, &stderr); status != 0 {
		t.Fatalf("status %d: %s", status, &stderr)
	}
	return got.String()
}

// diff are the lines that differ, some of them.
func diff(got, want string) string {
	var b strings.Builder
	ours, theirs := strings.Split(got, "\n"), strings.Split(want, "\n")
	if d := cmp.Diff(theirs, ours); d != "" && len(ours) != len(theirs) {
		return "(-want +got)\n" + d
	}
	shown := 0
	for i := range max(len(ours), len(theirs)) {
		var a, w string
		if i < len(ours) {
			a = ours[i]
		}
		if i < len(theirs) {
			w = theirs[i]
		}
		if a != w {
			if shown++; shown > 20 {
				continue
			}
			fmt.Fprintf(&b, "got  %s\nwant %s\n", a, w)
		}
	}
	if shown > 0 {
		fmt.Fprintf(&b, "%d lines differ", shown)
	}
	return b.String()
}

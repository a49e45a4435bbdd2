package fields

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/testrecord"
	"github.com/pdig/pdig/sensor/filter"
	"github.com/pdig/pdig/sensor/state"
	"github.com/pdig/pdig/syscalls"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC
	os.Exit(m.Run())
}

const (
	openatE, openatX   = 306, 307
	closeE             = 4
	readE, readX       = 6, 7
	writeE, writeX     = 8, 9
	socketX            = 19
	connectX, acceptX  = 23, 247
	execveX, genericX  = 293, 1
	pollE, renameX     = 80, 175
	pipeX              = 61
	thread, start, now = 100, 1700000000000000000, 1700000000000001000
)

// rec is a record of an event of the thread.
func rec(t testing.TB, ts uint64, typ uint16, values ...any) []byte {
	t.Helper()
	return testrecord.Make(t, ts, thread, typ, values...)
}

func tuple(port byte) []byte {
	return []byte{2, 10, 0, 0, 1, 0x39, 0x30, 10, 0, 0, 2, port, 0}
}

// wholeID is that of the container that cat runs in.
const wholeID = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

const cgroups = "cpuset=/\x00io=/docker/" + wholeID + "\x00"

// life is the events of a program that is cat -u "a b", number from 1.
func life(t testing.TB) [][]byte {
	return [][]byte{
		rec(t, start, execveX, 0, "cat", []byte("-u\x00a b\x00"), thread, thread, 1, "", 1024, 0, 1, 2, 3, 0, "cat", []byte(cgroups), []byte("A=1\x00HOME=/root\x00"), 34816, 100, 1000, state.ExeMemFD|state.ExeWritable,
			0, 1, 3, 7, start-5, start-7, 0, "/usr/bin/cat", 100, 50),
		rec(t, now, openatE, -100, "/etc/passwd", 1, 0),
		rec(t, now, openatX, 3, -100, "/etc/passwd", 1, 0, 0x801, 42),
		rec(t, now, readE, 3, 80),
		rec(t, now, readX, 5, []byte("x\n\x00\xc3y")), // an old one: without fd
		rec(t, now, openatX, -2, -100, "/etc/none", 0x1007, 0o755),
		rec(t, now, socketX, 4, 2, 1, 0),
		rec(t, now, connectX, 0, tuple(80), 4),
		rec(t, now, acceptX, 5, tuple(90), 0, 0, 128),
		rec(t, now, genericX, 27, 0),
		rec(t, now, pollE, []byte{2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0}, 0),
		rec(t, now, renameX, 0, "/a", "/b"),
	}
}

func player(t testing.TB) (e *Event, play func(rec []byte)) {
	var v event.View
	e = &Event{View: &v, State: state.New(state.Config{})}
	return e, func(rec []byte) {
		if err := v.Parse(rec); err != nil {
			t.Fatal(err)
		}
		e.Next()
		e.Begin()
		e.State.Apply(&v)
	}
}

// TestValues wants the text of fields on events, by their numbers.
func TestValues(t *testing.T) {
	events := append(life(t),
		rec(t, now, openatX, -13, -100, "/tmp/../etc//./shadow/", 1, 0),
		rec(t, now, pipeX, 0, 6, 7, 77),
	)
	for _, row := range []struct {
		num          uint64
		format, want string
	}{
		{1, "%evt.num %evt.dir %evt.type %evt.res %evt.rawres %evt.failed", "1 < execve SUCCESS 0 false"},
		{1, "%proc.name|%proc.exe|%proc.exepath|%proc.args|%proc.args[1]|%proc.cmdline", "cat|cat|/usr/bin/cat|-u a b|a b|cat -u a b"},
		{1, "%proc.pid %proc.ppid %thread.tid %thread.ismain %proc.tty %proc.cmdnargs %proc.cmdlenargs", "100 1 100 true 34816 2 5"},
		{1, "%proc.env|%proc.env[HOME]|%proc.env[HOM]", "A=1 HOME=/root|/root|"},
		{1, "%user.uid %user.name %group.gid %group.name %user.loginuid", "0 <NA> 50 <NA> 1000"},
		{1, "*%fd.num %proc.pname %proc.aname %proc.aname[0] %proc.aname[1]", "<NA> <NA> <NA> cat <NA>"},
		{1, "%evt.rawtime %evt.rawtime.s %evt.rawtime.ns %evt.reltime %evt.time", "1700000000000000000 1700000000 000000000 000000000 22:13:20.000000000"},
		{2, "%evt.datetime %evt.time.iso8601 %evt.reltime.ns", "2023-11-14 22:13:20.000001000 2023-11-14T22:13:20.000001000+0000 000001000"},
		{2, "*%evt.dir %fd.num [%fd.name] %evt.is_open_read %evt.category %syscall.type", "> -1 [<NA>] false file openat"},
		{3, "%fd.num %fd.type %fd.typechar %fd.name %fd.directory %fd.filename %fd.uid", "3 file f /etc/passwd /etc passwd 1003"},
		{3, "%evt.arg.fd|%evt.arg[2]|%evt.arg.flags|%evt.rawarg.flags|%evt.rawarg.name", "<f>/etc/passwd|/etc/passwd|O_RDONLY|1|/etc/passwd"},
		{3, "%evt.is_open_read %evt.is_open_write %evt.is_open_exec %evt.abspath", "true false false /etc/passwd"},
		{5, "%fd.num %fd.name %evt.buflen %evt.io_dir %evt.is_io %evt.is_io_write [%evt.buffer] %evt.category", "3 /etc/passwd 5 read true false [x...y] file"},
		{5, "[%8proc.name] [%2proc.name] %evt.type.is.read %evt.type.is.write", "[cat     ] [ca] 1 0"},
		{6, "*%fd.num %fd.name %fd.directory %fd.filename %fd.type %evt.res %evt.failed %evt.is_open_exec", "-1 /etc/none /etc <NA> <NA> ENOENT true true"},
		{8, "%fd.name %fd.cip %fd.cport %fd.sip %fd.sport %fd.lip %fd.rip %fd.l4proto %fd.sockfamily %fd.is_server", "10.0.0.1:12345->10.0.0.2:80 10.0.0.1 12345 10.0.0.2 80 10.0.0.1 10.0.0.2 tcp ip false"},
		{9, "%fd.cip %fd.sip %fd.lport %fd.rport %fd.is_server", "10.0.0.1 10.0.0.2 90 12345 true"},
		{10, "*%evt.type %syscall.type %evt.res [%evt.args] %fd.num", "<GENERIC> <GENERIC> <NA> [] <NA>"},
		{1, "%container.id %container.full_id %thread.cgroups %thread.cgroup.blkio", wholeID[:12] + " " + wholeID + " cpuset=/ blkio=/docker/" + wholeID + " /docker/" + wholeID},
		{1, "*%thread.cap_inheritable|%thread.cap_permitted|%thread.cap_effective|%proc.fdlimit %proc.vmsize %thread.vmrss %thread.pfminor", "|CAP_CHOWN|CAP_CHOWN CAP_DAC_OVERRIDE|1024 2 3 1"},
		{1, "%proc.is_exe_writable %proc.is_exe_upper_layer %proc.is_exe_from_memfd %proc.exe_ino %proc.exe_ino.ctime", "true false true 7 1699999999999999995"},
		{1, "*%proc.vpgid %proc.pgid %proc.sid %proc.sname %proc.vpgid.name %proc.is_pgid_leader %proc.duration %thread.vtid", "100 100 -1 cat cat true <NA> <NA>"},
		{1, "*%user.homedir %user.shell %evt.source %evt.is_async %evt.asynctype %proc.fdusage %proc.exeline", "<NA> <NA> syscall false <NA> 0.0 cat -u a b"},
		{2, "*%fd.typechar %fd.name %fd.directory %fd.nameraw %evt.latency %evt.failed", "f <NA> <NA> <NA> 0 false"},
		{3, "%fd.dev %fd.dev.major %fd.dev.minor %fd.ino %fd.nameraw %fd.is_upper_layer %fd.containername", "801 8 1 42 /etc/passwd false " + wholeID[:12] + ":/etc/passwd"},
		{3, "*%fs.path.name|%fs.path.nameraw|%fs.path.source|%fd.types|%evt.count.error|%evt.count.exit|%evt.count", "/etc/passwd|/etc/passwd|<NA>|(file)|<NA>|1|1"},
		{5, "*%evt.buflen.in %evt.buflen.file.in %evt.buflen.net %evt.buflen.out %evt.is_syslog %evt.wait_latency", "5 5 <NA> <NA> false <NA>"},
		{6, "*%evt.count.error %evt.count.error.file %evt.count.error.net %fs.path.name %fd.nameraw", "1 1 <NA> <NA> /etc/none"},
		{8, "*%fd.cproto %fd.sproto %fd.lproto %fd.rproto %fd.types", "12345 80 12345 80 (ipv4,file)"},
		{14, "*%fd.types|%fd.types[3]|%fd.types[6]|%fd.types[300]", "(ipv4,file,pipe)|(file)|(pipe)|<NA>"},
		{11, "*%fdlist.nums %fdlist.names %fdlist.cips %fdlist.sports %fd.types", "4,9 10.0.0.1:12345->10.0.0.2:80,<NA> 10.0.0.1 80 <NA>"},
		{12, "%fs.path.source %fs.path.sourceraw %fs.path.target", "/a /a /b"},
		{13, "%evt.abspath %fd.name %fd.directory %evt.arg.name", "/etc/shadow /etc/shadow /etc /tmp/../etc//./shadow/"},
		{14, "%fd.num %fd.typechar %fd.ino", "7 p 77"},
		{3, `a\tb%evt.num.\n%proc.name:%evt.arg.fd,`, "a\tb3.\ncat:<f>/etc/passwd,"},
	} {
		e, play := player(t)
		f, err := NewFormat(row.format, NewSet(e))
		if err != nil {
			t.Errorf("%s: %v", row.format, err)
			continue
		}
		for _, r := range events[:row.num] {
			play(r)
		}
		want := strings.ReplaceAll(row.want, "<GENERIC>", e.View.Name())
		if got, ok := f.Append(nil); string(got) != want && !(strings.Contains(want, "<NA>") && !ok && len(got) == 0 && row.format[0] != '*') {
			t.Errorf("%d %s:\n got %q %v\nwant %q", row.num, row.format, got, ok, want)
		}
	}
}

// TestFilter wants the numbers of the events that pass.
func TestFilter(t *testing.T) {
	for _, row := range []struct {
		filter string
		want   string
	}{
		{"evt.around[1700000000000000000]=0", "1"},
		{"evt.around[1699999999998000000]=2 and not evt.around[1699999999998000000]=1", "1"},
		{"proc.name=cat and evt.type in (openat, read)", "23456"},
		{"evt.type=openat and evt.dir=<", "36"},
		{"not evt.type in (openat, read, execve)", "789012"},
		{"fd.name startswith /etc", "3456"},
		{"fd.num=3", "345"},
		{"fd.type != file", "789"},
		{"fd.ip = 10.0.0.2", "89"},
		{"fd.ip != 10.0.0.2", ""},
		{"fd.net in (192.168.0.0/16, 10.0.0.0/8)", ""},
		{"fd.net = 0.0.0.0/0", "789"},
		{"fd.net = ::/0", ""},
		{"fd.snet in (192.168.0.0/16, 10.0.0.0/8)", "89"},
		{"fd.port in (80, 90)", "89"},
		{"fd.sport = http", "8"},
		{"evt.failed = true or evt.rawres < 0", "6"},
		{"evt.arg.flags contains O_CREAT", "6"},
		{"evt.rawarg.flags = 1", "23"},
		{"evt.buffer bcontains 0a00c3", "5"},
		{"proc.args contains 'a b' and proc.env[A] = 1 and evt.num > 8", "9012"},
		{"proc.aname = cat", ""},
	} {
		e, play := player(t)
		f, err := NewFilter(row.filter, e)
		if err != nil {
			t.Errorf("%s: %v", row.filter, err)
			continue
		}
		var got []byte
		for i, r := range life(t) {
			if play(r); f.Match() {
				got = append(got, '0'+byte((i+1)%10))
			}
		}
		if string(got) != row.want {
			t.Errorf("%s: events %q pass, want %q", row.filter, got, row.want)
		}
	}
}

func TestRefused(t *testing.T) {
	e, _ := player(t)
	for expr, want := range map[string]string{
		"proc.nmae = a":           `unknown field "proc.nmae": is proc.name meant?`,
		"Proc.Name = a":           `unknown field "Proc.Name": is proc.name meant?`,
		"foo.bar = a":             `unknown field "foo.bar"`,
		"proc.name[1] = a":        "proc.name takes nothing in brackets",
		"proc.aname[x] = a":       `proc.aname[x]: "x" is not a number from 0 to 255`,
		"fd.types[x] in (a)":      `fd.types[x]: "x" is not the number of a descriptor`,
		"evt.around[1] > 1":       "evt.around can only stand before =",
		"evt.around[1] exists":    "evt.around can only stand before =",
		"evt.arg = a":             "evt.arg needs a name behind a dot: evt.arg.NAME",
		"evt.arg.nosuch = a":      `evt.arg: no event has a parameter "nosuch"`,
		"evt.type = opn":          `unknown event type "opn"`,
		"evt.type.is.opn = 1":     `unknown event type "opn"`,
		"proc.name = val(fd.ip)":  "fd.ip cannot stand on the right side",
		"tolower(proc.aname) = a": "proc.aname cannot stand in a transformer",
	} {
		_, err := NewFilter(expr, e)
		var bad *filter.Error
		if !errors.As(err, &bad) || bad.Msg != want {
			t.Errorf("%s: %v, want %s", expr, err, want)
		}
	}
	for format, want := range map[string]string{
		"a %proc.nmae":  `1:3: unknown field "proc.nmae": is proc.name meant?`,
		"100%":          "1:4: no field behind the %",
		"%%":            "1:1: no field behind the %",
		"%proc.aname[1": "1:1: proc.aname[ has no ]",
		"%9999evt.num":  "1:1: the width 9999 is more than 4096",
	} {
		if _, err := NewFormat(format, NewSet(e)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", format, err, want)
		}
	}
}

// TestEveryField evaluates every field on every event of the table, without and
// with values, and wants no allocations.
func TestEveryField(t *testing.T) {
	e, play := player(t)
	set := NewSet(e)
	var refs []int
	for _, name := range Names() {
		for _, given := range []struct{ suffix, arg string }{{}, {".fd", ""}, {".res", ""}, {".open", ""}, {"", "1"}} {
			var arg *string
			if given.arg != "" {
				arg = &given.arg
			}
			if ref, err := set.bind(name+given.suffix, arg); err == nil {
				refs = append(refs, ref)
			}
		}
	}
	if len(refs) < len(Names()) {
		t.Fatalf("%d of %d fields can be bound", len(refs), len(Names()))
	}
	all := life(t)
	for typ := range syscalls.Events {
		all = append(all, rec(t, now, uint16(typ)))
	}
	var v filter.Values
	for _, r := range all {
		play(r)
		for _, ref := range refs {
			b := &set.bound[ref]
			one := func() { v.Reset(); set.Value(ref, &v) }
			one() // buffers grow
			if n := testing.AllocsPerRun(2, one); n != 0 {
				t.Errorf("%s %+v on event %d: %v allocations", b.field.Name, b.arg.text, e.View.Type(), n)
			}
		}
	}
}

func FuzzFormat(f *testing.F) {
	f.Add("*%evt.num %12proc.name %evt.arg.fd%proc.aname[1]\\n")
	f.Fuzz(func(t *testing.T, text string) {
		e, play := player(t)
		format, err := NewFormat(text, NewSet(e))
		if err != nil {
			var bad *filter.Error
			if !errors.As(err, &bad) || bad.Pos.Offset > len(text) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		for _, r := range life(t) {
			play(r)
			format.Append(nil)
		}
	})
}

func BenchmarkFilter(b *testing.B) {
	for _, expr := range []string{
		"evt.type=close",
		"proc.name=cat and evt.type in (openat,close)",
		"fd.name contains /etc",
		"evt.arg.flags contains O_CREAT",
		"proc.cmdline contains secret and not proc.aname = sshd",
	} {
		b.Run(expr, func(b *testing.B) {
			e, play := player(b)
			f, err := NewFilter(expr, e)
			if err != nil {
				b.Fatal(err)
			}
			for _, r := range life(b)[:3] {
				play(r)
			}
			b.ReportAllocs()
			for b.Loop() {
				f.Match()
			}
		})
	}
}

package output

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/pdig/pdig/event"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC
	os.Exit(m.Run())
}

// noNames knows nothing.
type noNames struct{}

func (noNames) Thread(int64) (string, bool)   { return "", false }
func (noNames) FD(int64) (event.FDName, bool) { return event.FDName{}, false }
func (noNames) Cwd() string                   { return "" }
func (noNames) User(uint32) string            { return "" }
func (noNames) Group(uint32) string           { return "" }

// sample is an event with one parameter, a path.
func sample(t testing.TB, num, ts uint64, tid int64, comm, path string) *Event {
	const chdirX = 95
	var e event.Encoder
	e.Begin(ts, tid, chdirX, 2)
	e.Int(8, 0)
	e.String([]byte(path))
	rec, err := e.End()
	if err != nil {
		t.Fatal(err)
	}
	v := &event.View{}
	if err := v.Parse(rec); err != nil {
		t.Fatal(err)
	}
	return &Event{Num: num, CPU: 3, Comm: comm, View: v, Names: noNames{}}
}

var rows = []struct {
	name       string
	num, ts    uint64
	tid        int64
	comm, path string
	text, json string
}{
	{"plain", 1, 1700000000000001000, 100, "pp", "/srv",
		"1 22:13:20.000001000 3 pp (100) < chdir res=0 path=/srv \n",
		`{"evt.cpu":3,"evt.dir":"<","evt.info":"res=0 path=/srv ","evt.num":1,"evt.outputtime":1700000000000001000,"evt.type":"chdir","proc.name":"pp","thread.tid":100}` + "\n"},
	{"no thread", math.MaxUint64, 0, -1, "<NA>", "",
		"18446744073709551615 00:00:00.000000000 3 <NA> (-1) < chdir res=0 path= \n",
		`{"evt.cpu":3,"evt.dir":"<","evt.info":"res=0 path= ","evt.num":18446744073709551615,"evt.outputtime":0,"evt.type":"chdir","proc.name":"<NA>","thread.tid":-1}` + "\n"},
	{"control characters", 2, 1, 1, "a\nb\x1b[1m\x7f", "x\ny\tz\"\\",
		"2 00:00:00.000000001 3 a\\nb\\x1b[1m\\x7f (1) < chdir res=0 path=x\\ny\\tz\"\\ \n",
		`{"evt.cpu":3,"evt.dir":"<","evt.info":"res=0 path=x\ny\tz\"\\ ","evt.num":2,"evt.outputtime":1,"evt.type":"chdir","proc.name":"a\nb\u001b[1m\u007f","thread.tid":1}` + "\n"},
	{"no UTF-8", 3, 2, 1, "\xff\xfeé\xe2\x82", "é\xc3",
		"3 00:00:00.000000002 3 \xff\xfeé\xe2\x82 (1) < chdir res=0 path=é\xc3 \n",
		"{\"evt.cpu\":3,\"evt.dir\":\"<\",\"evt.info\":\"res=0 path=é\ufffd \",\"evt.num\":3,\"evt.outputtime\":2,\"evt.type\":\"chdir\",\"proc.name\":\"\ufffd\ufffdé\ufffd\ufffd\",\"thread.tid\":1}\n"},
}

func TestText(t *testing.T) {
	for _, row := range rows {
		got := string((&Text{}).Append(nil, sample(t, row.num, row.ts, row.tid, row.comm, row.path)))
		if got != row.text {
			t.Errorf("%s:\n got %q\nwant %q", row.name, got, row.text)
		}
	}
}

// Whatever a program puts into a name, a line of JSON is one and parses (E11).
func TestJSON(t *testing.T) {
	for _, row := range rows {
		got := (&JSON{}).Append(nil, sample(t, row.num, row.ts, row.tid, row.comm, row.path))
		if string(got) != row.json {
			t.Errorf("%s:\n got %q\nwant %q", row.name, got, row.json)
		}
		if !json.Valid(got) {
			t.Errorf("%s: not valid: %s", row.name, got)
		}
	}
}

// TestMsgpack wants the same from a stream of maps as from JSON.
func TestMsgpack(t *testing.T) {
	var f Msgpack
	var stream []byte
	var want []map[string]any
	long := strings.Repeat("p", 300)
	all := append(slices.Clone(rows), rows[0], rows[0], rows[0])
	all[len(all)-3].path = strings.Repeat(long, 200)
	all[len(all)-1].comm = strings.Repeat(long, 300)
	all[len(all)-2].path = long
	for _, row := range all {
		e := sample(t, row.num, row.ts, row.tid, row.comm, row.path)
		stream = f.Append(stream, e)
		d := json.NewDecoder(bytes.NewReader((&JSON{}).Append(nil, e)))
		d.UseNumber()
		m := map[string]any{}
		if err := d.Decode(&m); err != nil {
			t.Fatal(err)
		}
		for key, value := range m {
			if n, ok := value.(json.Number); ok {
				m[key] = n.String()
			}
		}
		want = append(want, m)
	}
	var got []map[string]any
	d := msgpack.NewDecoder(bytes.NewReader(stream))
	for {
		m, err := d.DecodeMap()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for key, value := range m {
			if s, ok := value.(string); !ok {
				n, err := json.Marshal(value)
				if err != nil {
					t.Fatal(err)
				}
				m[key] = string(n)
			} else if !utf8.ValidString(s) {
				t.Errorf("%s: %q is not UTF-8", key, s)
			}
		}
		got = append(got, m)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-JSON +msgpack)\n%s", diff)
	}
}

func FuzzFormats(f *testing.F) {
	for _, row := range rows {
		f.Add(row.comm, row.path)
	}
	f.Fuzz(func(t *testing.T, comm, path string) {
		if len(path) > 60000 {
			return
		}
		e := sample(t, 1, 1, 1, comm, path)
		line := (&Text{}).Append(nil, e)
		if n := bytes.IndexByte(line, '\n'); n != len(line)-1 {
			t.Errorf("a line ends at %d of %d: %q", n, len(line), line)
		}
		object := (&JSON{}).Append(nil, e)
		if n := bytes.IndexByte(object, '\n'); n != len(object)-1 || !json.Valid(object) {
			t.Errorf("not a valid object: %q", object)
		}
		var j, m map[string]any
		if err := json.Unmarshal(object, &j); err != nil {
			t.Fatal(err)
		}
		if err := msgpack.Unmarshal((&Msgpack{}).Append(nil, e), &m); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{keyInfo, keyName} {
			if j[key] != m[key] {
				t.Errorf("%s: JSON has %q, msgpack %q", key, j[key], m[key])
			}
		}
	})
}

// chunks records what is written at once.
type chunks struct {
	writes []string
	err    error
}

func (c *chunks) Write(p []byte) (int, error) {
	c.writes = append(c.writes, string(p))
	return len(p), c.err
}

func TestWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c chunks
		w := NewWriter(&c, &Text{})
		e := sample(t, 1, 0, 1, "c", "/")
		write := func() {
			t.Helper()
			if _, err := w.Write(e); err != nil {
				t.Fatal(err)
			}
		}
		write()
		time.Sleep(maxDelay - 1)
		write()
		if len(c.writes) != 0 {
			t.Fatalf("written too early: %q", c.writes)
		}
		time.Sleep(time.Nanosecond)
		write()
		line := "1 00:00:00.000000000 3 c (1) < chdir res=0 path=/ \n"
		if diff := cmp.Diff([]string{line + line + line}, c.writes); diff != "" {
			t.Errorf("after the delay (-want +got)\n%s", diff)
		}
		write()
		for range 2 { // the second has nothing to write
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff([]string{line}, c.writes[1:]); diff != "" {
			t.Errorf("after Flush (-want +got)\n%s", diff)
		}
		for len(c.writes) == 2 {
			write()
		}
		if n := len(c.writes[2]); n < bufferSize || n > bufferSize+len(line) {
			t.Errorf("a full buffer has %d bytes, want %d", n, bufferSize)
		}
	})
}

func TestWriterError(t *testing.T) {
	full := errors.New("full")
	c := chunks{err: full}
	w := NewWriter(&c, &Text{})
	e := sample(t, 1, 0, 1, "c", "/")
	if _, err := w.Write(e); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.Flush(); !errors.Is(err, full) {
			t.Errorf("Flush: got %v, want %v", err, full)
		}
		if _, err := w.Write(e); !errors.Is(err, full) {
			t.Errorf("Write: got %v, want %v", err, full)
		}
	}
	if len(c.writes) != 1 {
		t.Errorf("%d writes, want 1", len(c.writes))
	}
}

func TestAllocations(t *testing.T) {
	e := sample(t, 1, 1700000000000001000, 100, "pp\xff", "/srv")
	for _, f := range []Format{&Text{}, &JSON{}, &Msgpack{}} {
		buf := make([]byte, 0, 1024)
		if n := testing.AllocsPerRun(100, func() { buf = f.Append(buf[:0], e) }); n != 0 {
			t.Errorf("%T: got %v allocations per event, want 0", f, n)
		}
	}
}

func BenchmarkFormats(b *testing.B) {
	e := sample(b, 1, 1700000000000001000, 100, "pp", "/srv")
	for name, f := range map[string]Format{"text": &Text{}, "json": &JSON{}, "msgpack": &Msgpack{}} {
		b.Run(name, func(b *testing.B) {
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				buf = f.Append(buf[:0], e)
			}
			b.SetBytes(int64(len(buf)))
		})
	}
}

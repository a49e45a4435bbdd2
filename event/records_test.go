package event

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pdig/pdig/syscalls"
)

var update = flag.Bool("update", false, "write what is printed into the test data")

// example is an event of testdata/records.txt.
type example struct {
	title  string
	typ    uint16
	time   uint64
	tid    int64
	values []string
	record []byte
	text   string
}

func examples(tb testing.TB) []example {
	file, err := os.ReadFile("testdata/records.txt")
	if err != nil {
		tb.Fatal(err)
	}
	var out []example
	var title string
	for line := range strings.Lines(string(file)) {
		line = strings.TrimSuffix(line, "\n")
		last := len(out) - 1
		switch word, rest, _ := strings.Cut(line, " "); word {
		case "":
		case "#":
			title = rest
		case "event":
			ex := example{title: title}
			if _, err := fmt.Sscan(rest, &ex.typ, &ex.time, &ex.tid); err != nil {
				tb.Fatalf("%s: %v", line, err)
			}
			out = append(out, ex)
		case "=":
			b, err := hex.DecodeString(rest)
			if err != nil {
				tb.Fatalf("%s: %v", line, err)
			}
			out[last].record = append(out[last].record, b...)
		case ">":
			out[last].text = rest
		default:
			out[last].values = append(out[last].values, line)
		}
	}
	return out
}

// The numbers in the examples are little-endian.
func TestRecords(t *testing.T) {
	var got []string
	for _, ex := range examples(t) {
		t.Run(ex.title, func(t *testing.T) {
			var e Encoder
			rec, err := putEvent(&e, ex.time, ex.tid, ex.typ, ex.values)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(hex.Dump(ex.record), hex.Dump(rec)); diff != "" {
				t.Errorf("encoded: want -, got +:\n%s", diff)
			}
			var v View
			if err := v.Parse(ex.record); err != nil {
				t.Fatal(err)
			}
			if v.Time() != ex.time || v.TID() != ex.tid || v.Type() != ex.typ || v.Len() != len(ex.record) ||
				v.NumParams() != len(ex.values) || v.Info() != &syscalls.Events[ex.typ] || !bytes.Equal(v.Bytes(), ex.record) {
				t.Errorf("parsed: got %d %d %d %d %d %v", v.Time(), v.TID(), v.Type(), v.Len(), v.NumParams(), v.Info())
			}
			for i, text := range ex.values {
				if got := valueText(&v.Info().Params[i], v.Param(i)); got != text {
					t.Errorf("%s: got %s, want %s", v.Info().Params[i].Name, got, text)
				}
			}
			text := string(new(Printer).AppendInfo(append([]byte(v.Name()), ' '), &v, fixture{}))
			if !*update && text != ex.text {
				t.Errorf("printed: got %q, want %q", text, ex.text)
			}
			got = append(got, text)
		})
	}
	if *update {
		updateRecords(t, got)
	}
}

// valueText writes a parameter in the language of the test data.
func valueText(p *syscalls.Param, b []byte) string {
	if len(b) == 0 {
		return "-"
	}
	switch p.Type {
	case syscalls.CharBuf, syscalls.FSPath, syscalls.FSRelPath:
		return fmt.Sprintf("%q", cstring(b))
	case syscalls.ByteBuf:
		return fmt.Sprintf("%q", b)
	case syscalls.SockAddr:
		a, _ := DecodeSockAddr(b)
		if a.IP.IsValid() {
			return a.IP.String()
		}
		return "unix:" + string(a.Path)
	case syscalls.SockTuple:
		c, _ := DecodeTuple(b)
		if c.Source.IsValid() {
			return c.Source.String() + "->" + c.Dest.String()
		}
		return fmt.Sprintf("unix:%x->%x:%s", c.SourceNode, c.DestNode, c.Path)
	case syscalls.FDList:
		var parts []string
		for b = b[2:]; len(b) >= 10; b = b[10:] {
			fd, _, _ := number(b[:8])
			events, _, _ := number(b[8:10])
			parts = append(parts, fmt.Sprintf("%d:%x", fd, events))
		}
		return strings.Join(parts, ",")
	case syscalls.Dyn:
		return fmt.Sprintf("%d:%s", b[0], valueText(&p.Dyn[b[0]], b[1:]))
	}
	u, s, _ := number(b)
	switch p.Type {
	case syscalls.Errno, syscalls.FD, syscalls.PID, syscalls.Int32, syscalls.Int64:
		return fmt.Sprint(s)
	}
	return fmt.Sprint(u)
}

func updateRecords(t *testing.T, texts []string) {
	file, err := os.ReadFile("testdata/records.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(file), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "> ") {
			lines[i], texts = "> "+texts[0], texts[1:]
		}
	}
	if err := os.WriteFile("testdata/records.txt", []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestParseErrors(t *testing.T) {
	var e Encoder
	good := func() []byte {
		rec, err := putEvent(&e, 1, 2, 7, []string{"6", `"root:\n"`})
		if err != nil {
			t.Fatal(err)
		}
		return slices.Clone(rec)
	}
	patched := func(offset int, b ...byte) []byte {
		rec := good()
		copy(rec[offset:], b)
		return rec
	}
	for name, c := range map[string]struct {
		rec  []byte
		want error
	}{
		"good":                          {good(), nil},
		"bytes behind it":               {append(good(), 1, 2, 3), nil},
		"bytes behind the last value":   {append(patched(offLen, 46), 1, 2), nil},
		"empty":                         {nil, ErrTruncated},
		"header cut":                    {good()[:HeaderSize-1], ErrTruncated},
		"cut":                           {good()[:43], ErrTruncated},
		"length 0":                      {patched(offLen, 0), ErrLength},
		"length within the header":      {patched(offLen, HeaderSize-1), ErrLength},
		"length within the lengths":     {patched(offLen, HeaderSize+3), ErrLength},
		"length within the values":      {patched(offLen, 43), ErrLength},
		"length larger than the buffer": {patched(offLen, 255, 255, 255, 255), ErrTruncated},
		"first parameter too long":      {patched(HeaderSize, 255, 255), ErrLength},
		"last parameter too long":       {patched(HeaderSize+2, 7), ErrLength},
		"too many parameters":           {patched(offParams, MaxParams+1), ErrLength},
		"far too many parameters":       {patched(offParams, 255, 255, 255, 255), ErrLength},
		"parameters beyond the record":  {patched(offParams, MaxParams), ErrLength},
		"unknown type":                  {patched(offType, 255, 255), ErrUnknownType},
		"first unknown type":            {patched(offType, syscalls.NumEvents&0xff, syscalls.NumEvents>>8), ErrUnknownType},
		"u32 lengths":                   {patched(offType, 402&0xff, 402>>8), ErrLength},
	} {
		t.Run(name, func(t *testing.T) {
			var v View
			if err := v.Parse(examples(t)[0].record); err != nil {
				t.Fatal(err)
			}
			before := v
			if err := v.Parse(c.rec); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if v.NumParams() == 0 { // they are lost
				before.params, before.start = 0, v.start
			}
			switch {
			case c.want == nil && string(v.Param(1)) != "root:\n":
				t.Errorf("got %q", v.Param(1))
			case c.want != nil && !cmp.Equal(v, before, cmp.AllowUnexported(View{})):
				t.Error("the view has changed")
			}
		})
	}
}

// A peer that rewrites the lengths after they were read moves nothing.
func TestRewritten(t *testing.T) {
	for _, ex := range examples(t) {
		var v View
		rec := slices.Clone(ex.record)
		if err := v.Parse(rec); err != nil {
			t.Fatal(err)
		}
		for i := offLen; i < HeaderSize+2*v.NumParams(); i++ {
			rec[i] = 0xff
		}
		var want, got View
		if err := want.Parse(ex.record); err != nil {
			t.Fatal(err)
		}
		got = v
		for i := range want.NumParams() {
			if !bytes.Equal(got.Param(i), want.Param(i)) {
				t.Errorf("%s: parameter %d: got %x, want %x", ex.title, i, got.Param(i), want.Param(i))
			}
		}
		if got.Type() != want.Type() || got.Len() != want.Len() || got.NumParams() != want.NumParams() {
			t.Errorf("%s: the header has changed", ex.title)
		}
	}
}

func TestAccessors(t *testing.T) {
	rec, err := putEvent(new(Encoder), 1, 2, 3, []string{"-2", `"/etc"`, "0xffffffff", "-", "x112233"})
	if err != nil {
		t.Fatal(err)
	}
	var v View
	if err := v.Parse(rec); err != nil {
		t.Fatal(err)
	}
	type number struct {
		U   uint64
		S   int64
		UOK bool
		SOK bool
	}
	want := map[int]number{
		-1: {},
		0:  {^uint64(1), -2, true, true},
		1:  {}, // five bytes
		2:  {1<<32 - 1, -1, true, true},
		3:  {}, // empty
		4:  {}, // three bytes
		5:  {},
	}
	for i, w := range want {
		var got number
		got.U, got.UOK = v.Uint(i)
		got.S, got.SOK = v.Int(i)
		if got != w {
			t.Errorf("parameter %d: got %+v, want %+v", i, got, w)
		}
	}
	if s := v.Str(1); string(s) != "/etc" {
		t.Errorf("got %q, want /etc", s)
	}
	if v.Str(3) == nil || v.Param(3) == nil || v.Str(5) != nil || v.Param(5) != nil || v.Param(-1) != nil {
		t.Error("an empty parameter is not nil, a missing one is")
	}
	if cap(v.Param(1)) != len(v.Param(1)) {
		t.Error("appending to a parameter would write into the next one")
	}
}

func TestLength(t *testing.T) {
	rec := examples(t)[3].record
	if n, ok := Length(rec[:offType]); n != len(rec) || !ok {
		t.Errorf("got %d %v, want %d", n, ok, len(rec))
	}
	if n, ok := Length(rec[:offType-1]); n != 0 || ok {
		t.Errorf("got %d %v of too short a prefix", n, ok)
	}
}

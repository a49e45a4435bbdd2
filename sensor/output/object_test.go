package output

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/pdig/pdig/sensor/fields"
	"github.com/pdig/pdig/sensor/state"
)

// TestObject wants the fields of a format as typed keys, and no allocations.
func TestObject(t *testing.T) {
	shown := sample(t, 7, 1700000000000001000, 100, "pp", "/srv\n\xff")
	e := &fields.Event{Num: 7, View: shown.View, State: state.New(state.Config{})}
	e.State.Apply(shown.View)
	for format, want := range map[string]string{
		"*%evt.type %evt.num %evt.failed %12proc.aname[2] %evt.time %evt.num %fd.types %proc.fdusage": `{"evt.failed":false,"evt.num":7,"evt.time":1700000000000001000,"evt.type":"chdir","fd.types":null,"proc.aname[2]":null,"proc.fdusage":0}`,
		"%evt.num %fd.name":            "",
		"%evt.rawres %evt.rawarg.path": `{"evt.rawarg.path":"/srv\n` + "\ufffd" + `","evt.rawres":0}`,
	} {
		f, err := fields.NewFormat(format, fields.NewSet(e))
		if err != nil {
			t.Fatal(err)
		}
		j, m := NewObject(f, false), NewObject(f, true)
		got := j.Append(nil, shown)
		if strings.TrimSuffix(string(got), "\n") != want {
			t.Errorf("%s:\n got %s\nwant %s", format, got, want)
		}
		if want == "" {
			continue
		}
		var a, b map[string]any
		if err := json.Unmarshal(got, &a); err != nil {
			t.Fatal(err)
		}
		if err := msgpack.Unmarshal(m.Append(nil, shown), &b); err != nil {
			t.Fatal(err)
		}
		packed, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(packed, &b); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a, b); diff != "" {
			t.Errorf("%s (-JSON +msgpack)\n%s", format, diff)
		}
		for _, o := range []*Object{j, m} {
			if n := testing.AllocsPerRun(100, func() { got = o.Append(got[:0], shown) }); n != 0 {
				t.Errorf("%s: %v allocations", format, n)
			}
		}
	}
}

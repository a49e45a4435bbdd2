// Package testrecord makes records of events for tests.
package testrecord

import (
	"bytes"
	"testing"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/syscalls"
)

// Make returns a record of an event of thread tid at ts, in ns since the Unix
// epoch. Numbers become as wide as their parameter, strings get their NUL.
func Make(t testing.TB, ts uint64, tid int64, typ uint16, values ...any) []byte {
	t.Helper()
	var e event.Encoder
	e.Begin(ts, tid, typ, len(values))
	for i, v := range values {
		p := &syscalls.Events[typ].Params[i]
		switch v := v.(type) {
		case int:
			e.Int(p.Type.Size(), uint64(v))
		case string:
			e.String([]byte(v))
		case []byte:
			e.Bytes(v)
		default:
			t.Fatalf("%s: a value of type %T", p.Name, v)
		}
	}
	b, err := e.End()
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(b)
}

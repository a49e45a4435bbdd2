package tracer

import (
	"testing"

	"github.com/pdig/pdig/syscalls"
)

// BenchmarkCall is what the tracer itself does for a call, without the stops:
// reading the name, and making both records.
func BenchmarkCall(b *testing.B) {
	name := append([]byte("/etc/passwd"), 0)
	for _, call := range []string{"openat", "close", "getppid"} {
		b.Run(call, func(b *testing.B) {
			tr, th, _ := self(b, syscalls.CeilingNewest)
			tr.sink = &null{}
			s := tr.specs.lookup(abis[0].arch, int(syscalls.LookupName(call).Nr[abis[0].arch]))
			b.ReportAllocs()
			for b.Loop() {
				c := &th.call
				c.begin()
				c.spec, c.arch, c.ret = s, abis[0].audit, -2
				c.args = [6]uint64{^uint64(99), address(name)}
				tr.capture(th)
				tr.emit(th, th.tid, s.enter, s.class)
				tr.emit(th, th.tid, s.enter+1, s.class)
			}
		})
	}
}

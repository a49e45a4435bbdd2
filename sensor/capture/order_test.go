package capture

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pdig/pdig/syscalls"
)

// values is a file whose events have values of every type that has an order.
func values() *file {
	fd := func(n, flags int) []byte { return append(u64(n), u16(flags)...) }
	v4 := append([]byte{2, 10, 0, 0, 1}, u16(80)...)
	v6 := append(append([]byte{10}, bytes.Repeat([]byte{0xfe, 1}, 8)...), u16(443)...)
	var f file
	f.section()
	add := func(call string, half int, params ...[]byte) {
		var typ int
		for i := range syscalls.NumEvents {
			if syscalls.Events[i].Name == call && i%2 == half {
				typ = i
			}
		}
		f.block(typeEvent2, u16(1), recOf(typ, params...))
	}
	add("read", 0, u64(3), u32(80))
	add("kill", 0, u64(7), []byte{9})
	add("getsockopt", 1, u64(0), u64(3), []byte{1}, []byte{2}, append([]byte{2}, u32(70000)...), u32(4))
	add("getsockopt", 1, u64(0), u64(3), []byte{1}, []byte{0}, []byte{0, 1, 2, 3, 4}, u32(4))
	add("connect", 0, u64(3), v4)
	add("connect", 0, u64(3), v6)
	add("connect", 0, u64(3), append([]byte{1}, "/run/s\x00"...))
	add("connect", 1, u64(0), bytes.Join([][]byte{v4, v4[1:]}, nil), u64(3), v4)
	add("connect", 1, u64(0), bytes.Join([][]byte{v6, v6[1:]}, nil), u64(3), v6)
	add("connect", 1, u64(0), bytes.Join([][]byte{{1}, u64(170), u64(187), []byte("/s\x00")}, nil), u64(3), nil)
	add("poll", 0, append(u16(2), append(fd(5, 0x41), fd(6, 1)...)...), u64(-1))
	add("container", 0, []byte("{}\x00")) // of those with long lengths
	f.block(typeEvent, u16(1), old(rec("/x")))
	return &f
}

// TestForeign reads files of machines with the other byte order.
func TestForeign(t *testing.T) {
	for name, build := range map[string]func() *file{"everything": everything, "values": values} {
		want, err := read(bytes.NewReader(build().Bytes()))
		if err != nil || len(want) < 10 {
			t.Fatalf("%s: %v, %q", name, err, want)
		}
		asForeign(func() {
			b := build().Bytes()
			got, err := read(bytes.NewReader(b))
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
			}
			for i := range b { // whatever is wrong with it
				_, _ = read(bytes.NewReader(b[:i]))
				bad := bytes.Clone(b)
				bad[i] ^= 0xff
				_, _ = read(bytes.NewReader(bad))
			}
		})
	}
}

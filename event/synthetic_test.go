package event

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/pdig/pdig/syscalls"
)

// synth makes values of every type, for an event that has not succeeded: its
// result is an error, so that it changes no state of a reader.
type synth struct{ *rand.Rand }

func newSynth() *synth { return &synth{rand.New(rand.NewPCG(1, 2))} }

// event encodes an event of all parameters of the table.
func (s *synth) event(e *Encoder, tid int64, typ uint16, params int) ([]byte, error) {
	info := &syscalls.Events[typ]
	e.Begin(1700000000000000000, tid, typ, params)
	for i := range params {
		p := &info.Params[i]
		if i == 0 && !syscalls.IsEnter(typ) && (p.Type == syscalls.Errno || p.Type == syscalls.FD || p.Type == syscalls.PID) {
			e.Int(8, uint64(-1-s.Int64N(140)-s.Int64N(2)*500))
			continue
		}
		if p.Type == syscalls.FD && addressed(info) {
			e.Int(8, ^uint64(0)) // a reader would name a descriptor by the address
			continue
		}
		e.Bytes(s.value(p))
	}
	return e.End()
}

func addressed(info *syscalls.Event) bool {
	return slices.ContainsFunc(info.Params, func(p syscalls.Param) bool {
		return p.Type == syscalls.SockAddr || p.Type == syscalls.SockTuple
	})
}

func (s *synth) value(p *syscalls.Param) []byte {
	switch p.Type {
	case syscalls.CharBuf:
		return []byte(s.word("abc/. \t\xc3\xa9", 30) + "\x00")
	case syscalls.FSPath, syscalls.FSRelPath:
		if s.IntN(10) == 0 {
			return []byte(strings.Repeat("x/", 505+s.IntN(10)) + "\x00")
		}
		return []byte(s.word("a./.b/\x01\xc3", 15) + "\x00")
	case syscalls.ByteBuf:
		return s.data(78 + s.IntN(5)*s.IntN(2))
	case syscalls.SockAddr:
		return s.sockAddr()
	case syscalls.SockTuple:
		return s.tuple()
	case syscalls.FDList:
		return s.fdList()
	case syscalls.Dyn:
		if len(p.Dyn) == 0 {
			return nil
		}
		selector := s.IntN(len(p.Dyn))
		return append([]byte{byte(selector)}, s.value(&p.Dyn[selector])...)
	case syscalls.CharBufArray, syscalls.CharBufPairs:
		return []byte("a\x00b\x00")
	}
	return s.number(p)[:p.Type.Size()]
}

// number is 16 bytes, the first of which are a value that means something to
// the type, one near a border, or any.
func (s *synth) number(p *syscalls.Param) []byte {
	var n uint64
	switch s.IntN(4) {
	case 0:
		n = s.Uint64() >> s.IntN(64)
	case 1:
		n = uint64(s.Int64N(12) - 1)
	case 2:
		n = -(s.Uint64() >> s.IntN(64))
	case 3:
		switch p.Type {
		case syscalls.FD:
			n = uint64(-100 + s.Int64N(3))
		case syscalls.PID:
			n = 100
		case syscalls.UID, syscalls.GID:
			n = 33
		case syscalls.SigType:
			n = uint64(s.IntN(66))
		default:
			for range 1 + s.IntN(3) {
				if len(p.Flags) > 0 {
					n |= uint64(p.Flags[s.IntN(len(p.Flags))].Value)
				}
			}
		}
	}
	if p.Type == syscalls.SyscallID {
		n = s.Uint64N(329) // sysdig looks up any number in a table of that size
	}
	return binary.NativeEndian.AppendUint64(binary.NativeEndian.AppendUint64(nil, n), s.Uint64())
}

func (s *synth) data(n int) []byte {
	b := make([]byte, s.IntN(n+1))
	for i := range b {
		b[i] = byte(s.Uint32())
	}
	return b
}

func (s *synth) word(alphabet string, n int) string {
	b := make([]byte, s.IntN(n))
	for i := range b {
		b[i] = alphabet[s.IntN(len(alphabet))]
	}
	return string(b)
}

func (s *synth) ip6() []byte {
	b := make([]byte, 16)
	switch s.IntN(4) {
	case 0:
		copy(b[10:], "\xff\xff\x0a\x01\x02\x03")
	case 1:
		copy(b[s.IntN(16):], s.data(6))
	case 2:
		copy(b, s.data(16))
	}
	return b
}

func (s *synth) port() []byte { return u16(s.IntN(65536)) }

func (s *synth) sockAddr() []byte {
	switch s.IntN(4) {
	case 0:
		return append(append([]byte{2, 10, 0, 2, byte(s.IntN(256))}, s.port()...), s.data(0)...)
	case 1:
		return append(append([]byte{10}, s.ip6()...), s.port()...)
	case 2:
		return []byte("\x01/run/" + s.word("abc.", 20) + "\x00")
	}
	return nil
}

func (s *synth) tuple() []byte {
	switch s.IntN(4) {
	case 0:
		b := append([]byte{2, 10, 0, 2, byte(s.IntN(256))}, s.port()...)
		return append(append(b, 10, 0, 2, byte(s.IntN(256))), s.port()...)
	case 1:
		b := append(append([]byte{10}, s.ip6()...), s.port()...)
		return append(append(b, s.ip6()...), s.port()...)
	case 2:
		b := binary.NativeEndian.AppendUint64([]byte{1}, s.Uint64()>>s.IntN(64))
		b = binary.NativeEndian.AppendUint64(b, s.Uint64()>>s.IntN(64))
		return append(b, "/run/"+s.word("abc.", 20)+"\x00"...)
	}
	return nil
}

func (s *synth) fdList() []byte {
	n := s.IntN(8)
	if s.IntN(10) == 0 {
		n = 150
	}
	b := u16(n)
	for range n {
		b = binary.NativeEndian.AppendUint64(b, uint64(s.Int64N(14)-1))
		b = append(b, s.port()...)
	}
	return b
}

package tracer

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
)

// ancillary is ancillary data with a word of size bytes.
func ancillary(word int, level, typ uint32, data []byte) []byte {
	b := make([]byte, word, 64)
	b = binary.LittleEndian.AppendUint32(b, level)
	b = binary.LittleEndian.AppendUint32(b, typ)
	b = append(b, data...)
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	for len(b)%word != 0 {
		b = append(b, 0)
	}
	return b
}

func TestWideControl(t *testing.T) {
	fds := []byte{5, 0, 0, 0, 6, 0, 0, 0, 7, 0, 0, 0}
	creds := bytes.Repeat([]byte{9}, 12)
	narrow := slices.Concat(ancillary(4, unix.SOL_SOCKET, unix.SCM_CREDENTIALS, creds), ancillary(4, unix.SOL_SOCKET, unix.SCM_RIGHTS, fds),
		ancillary(4, unix.SOL_SOCKET, unix.SO_TIMESTAMP_OLD, []byte{1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}), ancillary(4, unix.SOL_IP, 2, []byte{64}))
	wide := slices.Concat(ancillary(8, unix.SOL_SOCKET, unix.SCM_CREDENTIALS, creds), ancillary(8, unix.SOL_SOCKET, unix.SCM_RIGHTS, fds),
		ancillary(8, unix.SOL_SOCKET, unix.SO_TIMESTAMP_OLD, append([]byte{1, 0, 0, 0, 0, 0, 0, 0}, bytes.Repeat([]byte{0xff}, 8)...)), ancillary(8, unix.SOL_IP, 2, []byte{64}))
	if diff := cmp.Diff(wide, appendWide(nil, narrow)); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
	if diff := cmp.Diff([]int32{5, 6, 7}, event.AppendRights(nil, wide, event.ControlHeader)); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
	for cut := range narrow { // lengths beyond the end
		if got := appendWide(nil, narrow[:cut]); len(got) > len(wide) {
			t.Errorf("%d bytes became %d", cut, len(got))
		}
	}
	for _, odd := range [][]byte{nil, {1, 2, 3}, make([]byte, 40), bytes.Repeat([]byte{0xff}, 11)} {
		if got := appendWide(nil, odd); !bytes.Equal(got, odd) {
			t.Errorf("%x became %x", odd, got)
		}
	}
}

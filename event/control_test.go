package event

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// No message brings more descriptors than the kernel sends, whatever is in it.
func TestRights(t *testing.T) {
	narrow := binary.NativeEndian.AppendUint32(nil, 12+8)
	narrow = binary.NativeEndian.AppendUint32(narrow, unix.SOL_SOCKET)
	narrow = binary.NativeEndian.AppendUint32(narrow, unix.SCM_RIGHTS)
	narrow = append(narrow, 5, 0, 0, 0, 6, 0, 0, 0)
	wide := unix.UnixRights(7, 8)
	for _, row := range []struct {
		control []byte
		size    int
		want    []int32
	}{
		{wide, 16, []int32{7, 8}},
		{narrow, 12, []int32{5, 6}},
		{narrow, 16, nil},
		{wide[:len(wide)-1], 16, nil},
		{slices.Repeat([]byte{0xff}, 64), 16, nil},
		{make([]byte, 64), 12, nil},
		{nil, 16, nil},
	} {
		if diff := cmp.Diff(row.want, AppendRights(nil, row.control, row.size)); diff != "" {
			t.Errorf("%x: want (-), got (+):\n%s", row.control, diff)
		}
	}
	many := make([]int, 2*MaxRights)
	for cut := range ControlHeader - 1 {
		AppendRights(nil, wide[:cut], ControlHeader)
	}
	if n := len(AppendRights(nil, unix.UnixRights(many...), ControlHeader)); n != MaxRights {
		t.Errorf("got %d descriptors", n)
	}
}

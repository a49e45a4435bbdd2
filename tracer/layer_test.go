package tracer

import (
	"bytes"
	"testing"
)

func TestReadOnly(t *testing.T) {
	for _, tt := range []struct {
		line string
		want bool
	}{
		{"25 1 0:23 / /tmp ro,relatime shared:5 - 9p root rw,trans=virtio", true},
		{"25 1 0:23 / /tmp rw,relatime - 9p root ro,dirsync", true},
		{"25 1 0:23 / /tmp rw,relatime - nfs host:/ro rw,errors=remount-ro", false},
	} {
		if got := readOnly(bytes.Fields([]byte(tt.line))); got != tt.want {
			t.Errorf("%s: got %v", tt.line, got)
		}
	}
	if readOnly(nil) {
		t.Error("a mount that is not known is read-only")
	}
}

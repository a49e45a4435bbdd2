package state

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// scap is a .scap file in the making: section header, one process, events.
type scap struct{ bytes.Buffer }

func (c *scap) block(kind uint32, payload []byte) {
	padded := (len(payload) + 3) &^ 3
	var head [8]byte
	binary.NativeEndian.PutUint32(head[:], kind)
	binary.NativeEndian.PutUint32(head[4:], uint32(12+padded))
	c.Write(head[:])
	c.Write(payload)
	c.Write(make([]byte, padded-len(payload)))
	c.Write(head[4:])
}

func u16(n int) []byte    { return binary.NativeEndian.AppendUint16(nil, uint16(n)) }
func u32(n int) []byte    { return binary.NativeEndian.AppendUint32(nil, uint32(n)) }
func u64(n int) []byte    { return binary.NativeEndian.AppendUint64(nil, uint64(n)) }
func str(s string) []byte { return append(u16(len(s)), s...) }

// header writes what stands before the events: process pp, 100, in /srv.
func (c *scap) header() {
	c.block(0x0A0D0D0A, bytes.Join([][]byte{u32(0x1A2B3C4D), u16(1), u16(2), u64(-1)}, nil))
	c.block(0x201, append(u32(1), make([]byte, 8+8+128+4*8)...))
	process := bytes.Join([][]byte{
		u64(100), u64(100), u64(1), u64(100), u64(100),
		str("pp"), str("pp"), str("/bin/pp"), str(""), str("/srv"),
		u64(1024), u32(0), u32(0), u32(0), u32(1), u32(1), u32(0), u64(0), u64(0),
		str(""), u64(100), u64(100), str(""), str("/"), u32(-1), {0}}, nil)
	c.block(0x215, append(u32(4+len(process)), process...))
}

// event writes a record.
func (c *scap) event(rec []byte) { c.block(0x216, append(u16(0), rec...)) }

// sysdig returns what sysdig prints for the events.
func (c *scap) sysdig(t *testing.T) []string {
	bin, err := exec.LookPath("sysdig")
	if err != nil {
		t.Skip("sysdig not installed")
	}
	file := filepath.Join(t.TempDir(), "test.scap")
	if err := os.WriteFile(file, c.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "-r", file, "-p", "*%evt.num %proc.name (%thread.tid) %evt.dir %evt.type %evt.info")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("sysdig: %v: %s after %q", err, &stderr, out[max(0, len(out)-200):])
	}
	var lines []string
	for line := range strings.Lines(string(out)) {
		_, line, _ = strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		lines = append(lines, line)
	}
	return lines
}

package event

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// capture is a .scap file in the making: section header, one process with its
// descriptors, users, then events.
type capture struct{ bytes.Buffer }

func (c *capture) block(kind uint32, payload []byte) {
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

// sized puts the length of the whole, itself included, before the parts.
func sized(parts ...[]byte) []byte {
	b := bytes.Join(parts, nil)
	return append(u32(4+len(b)), b...)
}

// header writes what stands before the events. The process is the one that
// names knows.
func (c *capture) header() {
	c.block(0x0A0D0D0A, bytes.Join([][]byte{u32(0x1A2B3C4D), u16(1), u16(2), u64(-1)}, nil))
	c.block(0x201, append(u32(1), make([]byte, 8+8+128+4*8)...))
	c.block(0x220, bytes.Join([][]byte{
		sized([]byte{0}, u32(0), u32(0), str("root"), str("/"), str("/bin/sh")),
		sized([]byte{0}, u32(33), u32(33), str("www-data"), str("/"), str("/bin/sh")),
		sized([]byte{1}, u32(33), str("webs")),
	}, nil))
	c.block(0x215, sized(
		u64(100), u64(100), u64(1), u64(100), u64(100),
		str("pp"), str("pp"), str("/bin/pp"), str(""), str("/srv"),
		u64(1024), u32(0), u32(0), u32(0), u32(1), u32(1), u32(0), u64(0), u64(0),
		str(""), u64(100), u64(100), str(""), str("/"), u32(-1), []byte{0}))
	ip := []byte{10, 1, 2, 3, 10, 1, 2, 4}
	c.block(0x218, bytes.Join([][]byte{
		u64(100),
		sized(u64(3), u64(0), []byte{16}, u32(1), str("/srv/data/log.txt"), u32(0)),
		sized(u64(4), u64(0), []byte{2}, str("/srv/data")),
		sized(u64(5), u64(0), []byte{3}, ip, u16(40000), u16(80), []byte{2}),
		sized(u64(6), u64(0), []byte{7}, str("pipe:[777]")),
		sized(u64(7), u64(0), []byte{3}, ip, u16(40001), u16(53), []byte{3}),
		sized(u64(8), u64(0), []byte{2}, str("/")),
		sized(u64(9), u64(0), []byte{16}, u32(1), str("/srv/c\taf\xc3\xa9"), u32(0)),
		sized(u64(10), u64(0), []byte{12}, str("")),
	}, nil))
}

// fixture is the process of the capture. Its thread is 100.
type fixture struct{}

func (fixture) Thread(tid int64) (string, bool) { return "pp", tid == 100 }

func (fixture) FD(fd int64) (FDName, bool) {
	n, ok := map[int64]FDName{
		3:  {'f', 0, "/srv/data/log.txt"},
		4:  {'d', 0, "/srv/data"},
		5:  {'4', 't', "10.1.2.3:40000->10.1.2.4:80"},
		6:  {'p', 0, "pipe:[777]"},
		7:  {'4', 'u', "10.1.2.3:40001->10.1.2.4:53"},
		8:  {'d', 0, "/"},
		9:  {'f', 0, "/srv/c\taf\xc3\xa9"},
		10: {'l', 0, ""},
	}[fd]
	return n, ok
}

func (fixture) Cwd() string { return "/srv/" }

func (fixture) User(uid uint32) string {
	switch uid {
	case 0:
		return "root"
	case 33:
		return "www-data"
	}
	return ""
}

func (fixture) Group(gid uint32) string {
	if gid == 33 {
		return "webs"
	}
	return ""
}

// event writes a record.
func (c *capture) event(rec []byte) { c.block(0x216, append(u16(0), rec...)) }

// sysdig returns the lines that sysdig prints for the capture, in a format.
func (c *capture) sysdig(t *testing.T, args ...string) []string {
	bin, err := exec.LookPath("sysdig")
	if err != nil {
		t.Skip("sysdig not installed")
	}
	file := filepath.Join(t.TempDir(), "test.scap")
	if err := os.WriteFile(file, c.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, append([]string{"-r", file}, args...)...)
	cmd.Env = append(os.Environ(), "TZ=UTC")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("sysdig: %v: %s after %q", err, &stderr, out[max(0, len(out)-200):])
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

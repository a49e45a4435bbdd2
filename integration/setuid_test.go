package integration

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSetuid: P13: under a tracer of root programs that are set-user-id, or have
// capabilities of their own, have the rights that they natively have, also when the
// command has become another user before. Under one of another user they have not,
// and a warning says so.
func TestSetuid(t *testing.T) {
	root(t)
	t.Parallel()
	setpriv := needProgram(t, "setpriv")
	dir := dirOf(t, 0)
	id := copyProgram(t, needProgram(t, "id"), filepath.Join(dir, "id"))
	cat := copyProgram(t, needProgram(t, "cat"), filepath.Join(dir, "cat"))
	secret := filepath.Join(dir, "secret")
	// struct vfs_cap_data of the kernel's uapi/linux/capability.h.
	var caps []byte
	for _, word := range []uint32{0x02000001, 1 << unix.CAP_DAC_READ_SEARCH, 0, 0, 0} {
		caps = binary.LittleEndian.AppendUint32(caps, word)
	}
	if err := errors.Join(os.Chmod(id, 0o755|os.ModeSetuid), os.WriteFile(secret, []byte("secret\n"), 0o600),
		unix.Setxattr(cat, "security.capability", caps, 0)); err != nil {
		t.Fatal(err)
	}
	user := []string{setpriv, "--reuid", "65534", "--regid", "65534", "--clear-groups"}
	for name, row := range map[string]struct {
		argv   []string
		native string
	}{
		"set-user-id":  {[]string{id, "-u"}, "0\n"},
		"capabilities": {[]string{cat, secret}, "secret\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := runCommand(t, append(user, row.argv...)...); got.stdout != row.native {
				t.Skipf("files of %s give no rights (nosuid): %+v", dir, got)
			}
			compare(t, func(t *testing.T, w *way) string { return w.run(t, append(user, row.argv...)...).String() })
		})
	}
	t.Run("another user", func(t *testing.T) {
		dir := dirOf(t, 65534)
		program := copyProgram(t, pdigPath, filepath.Join(dir, "pdig"))
		log := filepath.Join(dir, "log")
		cmd := asNobody(program, "--ring", filepath.Join(dir, "r"), "--log-level", "warn", "--log-file", log, "--", id, "-u")
		if r := start(t, cmd).wait(t); r.String() != "65534\nstatus 0x0\n" {
			t.Errorf("got %s", r)
		}
		eventually(t, "the warning", func() bool {
			text, _ := os.ReadFile(log)
			return strings.Contains(string(text), "no_new_privs")
		})
	})
}

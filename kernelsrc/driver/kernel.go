package driver

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// Kernel is what the names of drivers tell of a kernel.
type Kernel struct {
	Release string // 6.1.0-56-amd64
	Version string // the number in #1 SMP ...
	Machine string // x86_64
	Target  string // the distribution: debian
}

var buildNumber = regexp.MustCompile(`^#(\d+)`)

// Running is the kernel of this machine, with the distribution below root.
func Running(root string) (Kernel, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return Kernel{}, fmt.Errorf("uname: %w", err)
	}
	k := Kernel{
		Release: unix.ByteSliceToString(u.Release[:]), Machine: unix.ByteSliceToString(u.Machine[:]),
		Version: "1", Target: target(root),
	}
	if m := buildNumber.FindSubmatch(u.Version[:]); m != nil {
		k.Version = string(m[1])
	}
	return k, nil
}

// target is the distribution, as the names of drivers have it; of Ubuntu there are
// several, which does not matter to who looks for a file of any.
func target(root string) string {
	f, err := os.Open(filepath.Join(root, "/etc/os-release"))
	if err != nil {
		return "undetermined"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if id, ok := strings.CutPrefix(lines.Text(), "ID="); ok {
			if id = strings.ToLower(strings.Trim(id, `"'`)); id != "" && !strings.ContainsAny(id, "/_*?[") {
				return id
			}
		}
	}
	return "undetermined"
}

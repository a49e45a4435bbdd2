package shm

import (
	"fmt"
	"os"
	"strings"
)

// DefaultPrefix names udig's own pair of objects.
const DefaultPrefix = "udig"

// DefaultSize is that of udig's ring.
const DefaultSize = ringSizeA

// directory is where objects without a path are: that of shm_open(3).
const directory = "/dev/shm"

// Config says which ring.
type Config struct {
	// Prefix of the two objects, of which the names end in _buf and _descs: a
	// name below /dev/shm, or a path; or "fd:N,M", the descriptors of the two,
	// see [Private]. Empty is [DefaultPrefix].
	Prefix string
	// Size of a ring that has to be created: a power of two and at least four
	// pages. 0 is [DefaultSize], the only one that readers of udig's oldest
	// layout know: a ring of another size gets the newest layout, C, which
	// sysdig 0.29 does not understand.
	Size int
	// Mode of objects that have to be created, whatever the umask; 0 is 0600.
	// If it lets others write, a ring that belongs to somebody else is used too.
	Mode os.FileMode
}

func (c *Config) mode() os.FileMode {
	if c.Mode == 0 {
		return 0o600
	}
	return c.Mode.Perm()
}

// shared reports whether rings of other users are welcome.
func (c *Config) shared() bool { return c.mode()&0o002 != 0 }

func (c *Config) size() (int64, error) {
	if c.Size == 0 {
		return DefaultSize, nil
	}
	if n := int64(c.Size); validSize(n) {
		return n, nil
	}
	return 0, fmt.Errorf("ring size %d: want a power of two from %d to %d", c.Size, minRing(), maxRing)
}

// validSize tells whether readers of the layouts B and C accept a ring.
func validSize(n int64) bool { return n >= minRing() && n <= maxRing && n&(n-1) == 0 }

// minRing is the smallest power of two of more than two pages.
func minRing() int64 { return 4 * int64(os.Getpagesize()) }

// paths returns the names of the two objects.
func (c *Config) paths() (buf, descs string, err error) {
	prefix := c.Prefix
	switch {
	case prefix == "":
		prefix = DefaultPrefix
	case strings.ContainsRune(prefix, 0):
		return "", "", fmt.Errorf("ring %q: a name has no NUL byte", prefix)
	}
	if !strings.Contains(prefix, "/") {
		prefix = directory + "/" + prefix
	}
	return prefix + "_buf", prefix + "_descs", nil
}

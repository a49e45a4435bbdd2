package modern

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// The first kernel with rings for eBPF programs.
const minMajor, minMinor = 5, 8

// OldKernelError is a kernel that has not what the probe needs.
type OldKernelError struct{ Release string }

func (e *OldKernelError) Error() string {
	return fmt.Sprintf("Actual kernel version is: '%s' while the minimum required is: '%d.%d.0'", e.Release, minMajor, minMinor)
}

// tooOld compares the version of the kernel.
func tooOld() error {
	v, err := running()
	if err != nil || !v.before(minMajor, minMinor) {
		return err
	}
	return &OldKernelError{fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2])}
}

// release is the version of a kernel.
type release [3]int

func (v release) before(major, minor int) bool {
	return v[0] < major || v[0] == major && v[1] < minor
}

// running is that of this one.
func running() (release, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return release{}, fmt.Errorf("uname: %w", err)
	}
	return version(unix.ByteSliceToString(u.Release[:])), nil
}

// version is the three numbers at the beginning of a release; what is missing is 0.
func version(text string) (v release) {
	n := 0
	for _, c := range text {
		switch {
		case c >= '0' && c <= '9':
			v[n] = min(10*v[n]+int(c-'0'), 1<<16)
		case c == '.' && n < 2:
			n++
		default:
			return v
		}
	}
	return v
}

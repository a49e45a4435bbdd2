package modern

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Why a probe does not start.
var (
	ErrNoBTF = errors.New("the kernel does not describe its types (no /sys/kernel/btf/vmlinux: CONFIG_DEBUG_INFO_BTF)")
	// ErrPermission is what every [PermissionError] is.
	ErrPermission = errors.New("no permission to load eBPF programs")
	ErrLockdown   = errors.New("the kernel is locked down (confidentiality): no probe may read its memory")
	// ErrUnheard is a probe that would never begin.
	ErrUnheard = errors.New("the probe is attached, but hears of no system call of this process")
)

// PermissionError is a kernel that does not let this process load programs.
type PermissionError struct {
	Missing []string // the capabilities that it lacks; none: something else forbids it
	Err     error
}

func (e *PermissionError) Error() string {
	switch len(e.Missing) {
	case 0:
		return fmt.Sprintf("%v, though it has CAP_BPF and CAP_PERFMON here (a user namespace or a seccomp filter?): %v", ErrPermission, e.Err)
	case 1:
		return fmt.Sprintf("%v: %s is missing", ErrPermission, e.Missing[0])
	}
	return fmt.Sprintf("%v: %s are missing", ErrPermission, strings.Join(e.Missing, " and "))
}

func (e *PermissionError) Unwrap() []error { return []error{ErrPermission, e.Err} }

// refused is the error of a kernel that does not take what was given to it. limited is
// why the limit of locked memory was not raised.
func refused(err, limited error) error {
	switch {
	case lockedDown(securityFile, err):
		return fmt.Errorf("%w: %w", ErrLockdown, err)
	case !errors.Is(err, unix.EPERM):
		return err
	}
	v, _ := running()
	return &PermissionError{Missing: lacking(limited != nil && v.before(5, 11)), Err: err}
}

// lacking are those of the capabilities that are needed which this process does not have.
// Of memory that counts as locked there may be too little.
func lacking(locked bool) (names []string) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&header, &data[0]) != nil {
		return nil
	}
	has := func(c int) bool { return data[c/32].Effective>>(c%32)&1 != 0 }
	admin := has(unix.CAP_SYS_ADMIN) // which stands for both
	if !admin && !has(unix.CAP_BPF) {
		names = append(names, "CAP_BPF")
	}
	if !admin && !has(unix.CAP_PERFMON) {
		names = append(names, "CAP_PERFMON")
	}
	if len(names) == 0 && locked && !has(unix.CAP_SYS_RESOURCE) {
		names = append(names, "CAP_SYS_RESOURCE")
	}
	return names
}

// securityFile is where securityfs tells of the lockdown, if it is mounted.
const securityFile = "/sys/kernel/security/lockdown"

// unreadable is what a verifier says of the function that reads the kernel's memory; the
// second since Linux 6.11.
var unreadable = regexp.MustCompile(`(unknown func|cannot use helper) bpf_probe_read`)

// lockedDown reports whether the kernel hides its memory. In most containers only the
// refusal err tells.
func lockedDown(file string, err error) bool {
	if modes, err := os.ReadFile(file); err == nil {
		return strings.Contains(string(modes), "[confidentiality]")
	}
	text := err.Error() // has the last line of what the verifier says
	if v := (*ebpf.VerifierError)(nil); errors.As(err, &v) {
		text = strings.Join(v.Log, "\n")
	}
	return unreadable.MatchString(text)
}

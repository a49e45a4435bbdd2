package syscalls

import (
	"os"
	"regexp"
	"strconv"
	"testing"
)

// Every call that the kernel headers of this machine name is in the table, with
// the same number (E5). A name that is not is to be added to table/calls.txt.
func TestKernelHeaders(t *testing.T) {
	headers := []struct {
		arch  Arch
		paths []string
	}{
		{AMD64, []string{"/usr/include/x86_64-linux-gnu/asm/unistd_64.h"}},
		{I386, []string{"/usr/include/x86_64-linux-gnu/asm/unistd_32.h"}},
		{ARM64, []string{"/usr/include/asm-generic/unistd.h"}},
		{ARM, []string{"/usr/arm-linux-gnueabihf/include/asm/unistd-eabi.h"}},
	}
	define := regexp.MustCompile(`(?m)^#define __NR(?:3264)?_(\w+)\s+(?:\(__NR_SYSCALL_BASE \+ )?(\d+)\)?\s*$`)
	// What a header names that is no call of its architecture.
	noCalls := map[string]bool{"syscalls": true, "arch_specific_syscall": true}
	// Calls that were never more than a number: the kernel answers ENOSYS.
	gone := map[string]bool{
		"create_module": true, "get_kernel_syms": true, "query_module": true, "nfsservctl": true, "getpmsg": true,
		"putpmsg": true, "afs_syscall": true, "tuxcall": true, "security": true, "epoll_ctl_old": true,
		"epoll_wait_old": true, "vserver": true, "break": true, "stty": true, "gtty": true, "ftime": true,
		"prof": true, "lock": true, "mpx": true, "ulimit": true, "profil": true, "idle": true, "bdflush": true,
	}
	found := 0
	for _, h := range headers {
		for _, path := range h.paths {
			text, err := os.ReadFile(path)
			if err != nil {
				continue
			}
			for _, m := range define.FindAllStringSubmatch(string(text), -1) {
				name := m[1]
				nr, _ := strconv.Atoi(m[2])
				only32 := h.arch == ARM64 && nr >= 403 && nr <= 423 // 64-bit times of 32-bit ABIs
				if noCalls[name] || gone[name] || only32 {
					continue
				}
				found++
				if c := Lookup(h.arch, nr); c == nil {
					t.Errorf("%s: %s (%d) is not in the table", path, name, nr)
				}
			}
		}
	}
	if found == 0 {
		t.Skip("no kernel headers (linux-libc-dev) on this machine")
	}
}

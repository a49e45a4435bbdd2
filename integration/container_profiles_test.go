package integration

import (
	"encoding/json"
	"flag"
	"os"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

var containerSeccomp = flag.String("container.seccomp", "",
	"a further profile of seccomp for containers: FILE, as it stands in linux.seccomp of an OCI config.json")

// seccompProfiles are the calls that the default profiles of container runtimes
// refuse, on amd64 and with no capability beyond Docker's. The real ones allow a
// list of calls and refuse all others; for what is tested here it comes to the same
// to refuse these and to allow the others. Calls that are newer than a profile
// are left out.
var seccompProfiles = map[string][]string{
	"none":           nil,
	"Docker 20.10":   slices.Concat(refusedByAll, refusedMemory, []string{"pkey_alloc", "pkey_free", "pkey_mprotect"}),
	"Docker 25":      slices.Concat(refusedByAll, []string{"io_uring_enter", "io_uring_register", "io_uring_setup"}),
	"containerd 1.6": slices.Concat(refusedByAll, refusedMemory),
	"containerd 1.7": refusedByAll, // what Kubernetes calls RuntimeDefault
}

// seccompNoPtrace is that of containerd up to 1.6.0, for who lacks CAP_SYS_PTRACE.
var seccompNoPtrace = slices.Concat(refusedByAll, refusedMemory, []string{"ptrace"})

var (
	refusedByAll = []string{
		"acct", "add_key", "bpf", "clock_settime", "delete_module", "fanotify_init", "finit_module", "fsconfig", "fsmount",
		"fsopen", "fspick", "get_mempolicy", "init_module", "ioperm", "iopl", "kcmp", "kexec_file_load", "kexec_load", "keyctl",
		"lookup_dcookie", "mbind", "migrate_pages", "mount", "mount_setattr", "move_mount", "move_pages", "open_by_handle_at",
		"open_tree", "perf_event_open", "pidfd_getfd", "pivot_root", "process_madvise", "quotactl", "quotactl_fd", "reboot",
		"request_key", "set_mempolicy", "setdomainname", "sethostname", "setns", "settimeofday", "swapoff", "swapon", "sysfs",
		"syslog", "umount2", "unshare", "uselib", "userfaultfd", "ustat", "vhangup",
	}
	refusedMemory = []string{"name_to_handle_at", "process_vm_readv", "process_vm_writev"}
)

// seccompConfig is linux.seccomp of config.json.
func seccompConfig(refused []string, more ...any) any {
	if refused == nil {
		return nil
	}
	rules := append(more, fail(unix.EPERM, refused), fail(unix.ENOSYS, []string{"clone3"}))
	for _, flag := range []uint64{unix.CLONE_NEWNS, unix.CLONE_NEWCGROUP, unix.CLONE_NEWUTS, unix.CLONE_NEWIPC,
		unix.CLONE_NEWUSER, unix.CLONE_NEWPID, unix.CLONE_NEWNET} {
		rules = append(rules, fail(unix.EPERM, []string{"clone"},
			map[string]any{"index": 0, "value": flag, "valueTwo": flag, "op": "SCMP_CMP_MASKED_EQ"}))
	}
	arches := map[string][]string{
		"amd64": {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"},
		"arm64": {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"},
	}
	return map[string]any{"defaultAction": "SCMP_ACT_ALLOW", "architectures": arches[runtime.GOARCH], "syscalls": rules}
}

// fail is a rule of a profile: the calls fail, if arguments are given where they are those.
func fail(errno unix.Errno, names []string, args ...any) any {
	return map[string]any{"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": int(errno), "args": args}
}

// seccompSandbox is what gVisor does not have, below the profile of an old engine.
func seccompSandbox() any {
	info := map[string]any{"index": 0, "value": unix.PTRACE_GET_SYSCALL_INFO, "op": "SCMP_CMP_EQ"}
	return seccompConfig(seccompProfiles["Docker 20.10"], fail(unix.EIO, []string{"ptrace"}, info))
}

// eachProfile runs a test below each of the profiles.
func eachProfile(t *testing.T, test func(t *testing.T, seccomp any)) {
	for name, refused := range seccompProfiles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, seccompConfig(refused))
		})
	}
	if *containerSeccomp == "" {
		return
	}
	t.Run("given", func(t *testing.T) {
		text, err := os.ReadFile(*containerSeccomp)
		if err != nil {
			t.Fatal(err)
		}
		test(t, json.RawMessage(text))
	})
}

package integration

import (
	"errors"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// narrowABI is that of the 32-bit programs that the kernel of this architecture runs.
var narrowABI = map[string]string{"amd64": "i386", "arm64": "arm"}[runtime.GOARCH]

// eachABI runs a part of the oracle with a program as it is built for this machine, and
// as a 32-bit one.
func eachABI(t *testing.T, name string, run func(t *testing.T, program string)) {
	t.Run(runtime.GOARCH, func(t *testing.T) { run(t, fixture(t, name)) })
	t.Run(narrowABI, func(t *testing.T) { run(t, narrowFixture(t, name)) })
}

// narrowFixture is [fixture] for a 32-bit program. It is skipped where it cannot be
// compiled or run.
func narrowFixture(t testing.TB, name string) string {
	t.Helper()
	program := ""
	if *prebuilt != "" {
		program = prebuiltProgram(t, name+"-"+narrowABI)
	} else {
		needCompiler(t)
		// The headers of the kernel are the same for both.
		options := []string{"-m32", "-idirafter", "/usr/include/x86_64-linux-gnu"}
		probe := exec.Command("gcc", append(options, "-static", "-x", "c", "-o", "/dev/null", "testdata/narrow.c")...)
		if out, err := probe.CombinedOutput(); err != nil {
			t.Skipf("no compiler for 32-bit programs (libc6-dev-i386, gcc-12-multilib): %s", out)
		}
		program = compiled(t, name+"-"+narrowABI, name, options...)
	}
	if err := exec.Command(program).Run(); errors.Is(err, unix.ENOEXEC) {
		t.Skip("the kernel runs no 32-bit programs (CONFIG_IA32_EMULATION, CONFIG_COMPAT)")
	}
	return program
}

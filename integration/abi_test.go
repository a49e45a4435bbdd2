package integration

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/syscalls"
)

// otherABIs are what a kernel runs besides its own programs, and how to compile
// for it.
var otherABIs = map[string]map[string][]string{
	"amd64": {"i386": {"gcc", "-m32"}, "x32": {"gcc", "-mx32"}},
	"arm64": {"arm": {"arm-linux-gnueabihf-gcc", "-marm"}, "thumb": {"arm-linux-gnueabihf-gcc", "-mthumb"}},
}

// abiFixture is testdata/abi.c of another ABI. It is skipped where the kernel
// does not run such programs.
func abiFixture(t *testing.T, abi string) string {
	t.Helper()
	name := "abi-" + abi
	program := filepath.Join(fixtureDir, name)
	if *prebuilt != "" {
		program = prebuiltProgram(t, name)
	} else {
		compiler := otherABIs[runtime.GOARCH][abi]
		needProgram(t, compiler[0])
		cmd := exec.Command(compiler[0], slices.Concat(compiler[1:], abiFlags, []string{"-o", program, "testdata/abi.c"})...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
		}
	}
	if err := exec.Command(program, "child").Run(); errors.Is(err, unix.ENOEXEC) {
		t.Skipf("the kernel runs no programs of %s (CONFIG_IA32_EMULATION, CONFIG_X86_X32_ABI, CONFIG_COMPAT)", abi)
	}
	return program
}

var abiFlags = strings.Fields("-O1 -static -nostdlib -ffreestanding -fno-pic -no-pie -fno-stack-protector -fomit-frame-pointer -Wall -Wextra -Werror")

// TestOtherABIs: programs of other ABIs behave as they do natively.
func TestOtherABIs(t *testing.T) {
	for abi := range otherABIs[runtime.GOARCH] {
		t.Run(abi, func(t *testing.T) {
			program := abiFixture(t, abi)
			const last = "status 768\nwaited 1\nstatus 1024\nstatus 0x0\n"
			compare(t, func(t *testing.T, w *way) string {
				said := w.run(t, program).String()
				if !strings.HasSuffix(said, last) {
					t.Errorf("got %q, want something that ends with %q", said, last)
				}
				return said
			})
			every := &way{traced: true, every: true, prefix: ring(t)}
			if said := every.run(t, program).String(); !strings.HasSuffix(said, last) {
				t.Errorf("without a filter: got %q, want something that ends with %q", said, last)
			}
		})
	}
}

// TestOtherABIEvents: their calls have the names and the parameters of ours, also
// those that are parts of another call there (E6).
func TestOtherABIEvents(t *testing.T) {
	for abi := range otherABIs[runtime.GOARCH] {
		for _, schema := range []string{"newest", "336"} {
			t.Run(abi+"/"+schema, func(t *testing.T) {
				program := abiFixture(t, abi)
				_, records := traceInto(t, "--schema", schema, "--", program)
				checkOtherABI(t, program, records)
			})
		}
	}
}

// checkOtherABI holds the records of testdata/abi.c to what it does: names and some
// of the parameters, in their order.
func checkOtherABI(t *testing.T, program string, records [][]byte) {
	t.Helper()
	want := map[bool][]string{ // of the child, and not
		false: {
			`> open name="none/x" flags=7 mode=416`,
			`< open fd=-2 name="none/x" flags=7 mode=416`,
			`> socket domain=1 type=1 proto=0`,
			`< socket fd=3`,
			`> connect fd=3 addr=1/"none/s"`,
			`< connect res=-2 fd=3 addr=1/"none/s"`,
			`> sendto fd=3 size=4`,
			`< sendto res=-107 data="data"`,
			`> recvfrom fd=3 size=8`,
			`< recvfrom res=-22`,
			`> semget key=0 nsems=1`,
			`< semget`,
			`> semop`,
			`< semop res=0 nsops=1 sem_num_0=0 sem_op_0=5 sem_flg_0=1`,
			`> semctl semnum=0 cmd=4096 val=77`,
			`< semctl res=0`,
			`> semctl semnum=0 cmd=4 val=0`,
			`< semctl res=0`,
			`> execve filename="none/p"`,
			`< execve res=-2 exe="p" args="one\x00two\x00" env="X=1\x00"`,
			`> read fd=4 size=8`,
			`< read res=-4 data=-`,
			`> read fd=4 size=8`,
			`< read res=-4 data=-`,
			`> fork`,
			`< fork`,
			`> clone`,
			`< clone`,
			`procexit status=0 ret=0 sig=0`,
		},
		true: {
			`< fork res=0`,
			fmt.Sprintf(`> execve filename=%q`, program),
			fmt.Sprintf(`< execve res=0 exe=%q args="child\x00"`, program),
			`procexit status=768 ret=3 sig=0`,
			`< clone res=0`,
			`> open name="none/y" flags=1`,
			`< open fd=-2 name="none/y"`,
			`procexit status=1024 ret=4 sig=0`,
		},
	}
	judged := map[string]bool{}
	for _, line := range want[false] {
		judged[strings.Fields(strings.TrimLeft(line, "<> "))[0]] = true
	}
	got, begun, root := map[bool][]string{}, false, int64(0)
	for i, rec := range records {
		var v event.View
		if err := v.Parse(rec); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
		_, said, _ := strings.Cut(describe(&v), " ")
		name := v.Info().Name
		switch {
		case !begun: // what stands before the program is the tracer's
			begun, root = name == "execve" && !syscalls.IsEnter(v.Type()), v.TID()
			continue
		case !judged[name]:
			continue
		case name == "procexit":
		case syscalls.IsEnter(v.Type()):
			name = "> " + name
		default:
			name = "< " + name
		}
		got[v.TID() != root] = append(got[v.TID() != root], strings.TrimSpace(name+" "+said))
	}
	for child, lines := range want {
		for i := range max(len(lines), len(got[child])) {
			w, g := "nothing", "nothing"
			if i < len(lines) {
				w = lines[i]
			}
			if i < len(got[child]) {
				g = got[child][i]
			}
			if !hasWords(g, w) {
				t.Fatalf("child %v, event %d:\n got %s\nwant %s", child, i, short(g), w)
			}
		}
	}
}

// hasWords reports whether an event has the name and the parameters of want.
func hasWords(got, want string) bool {
	g, w := splitWords(got), splitWords(want)
	for i, word := range w {
		if name := !strings.Contains(word, "="); name && (i >= len(g) || g[i] != word) || !name && !slices.Contains(g, word) {
			return false
		}
	}
	return true
}

package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// debugged are shell scripts that use other tracers (P19), and print what is the same
// in every run. OUT is a file, THREADS a program that makes threads.
var debugged = []struct {
	name, script string
}{
	{"strace runs a command", `strace -f -o $OUT sh -c '/bin/true; exit 3'; echo $?
		grep -c "execve(" $OUT; tail -n 1 $OUT | sed 's,^[0-9]* *,,'`},
	{"strace is the command", `exec strace -f -o $OUT sh -c '/bin/true; exit 3'`},
	{"strace is not the parent", `strace -D -o $OUT sh -c 'exit 4'; echo $?
		until grep 'exited with 4' $OUT; do sleep 0.01; done`},
	{"strace attaches", `sleep 1000 & p=$!
		strace -o $OUT -p $p 2>/dev/null & s=$!
		until grep -q "^TracerPid:[[:space:]]*$s\$" /proc/$p/status; do sleep 0.01; done
		exec 2>/dev/null; kill $p; wait $p; echo $?; wait $s; echo $?; tail -n 1 $OUT`},
	{"strace attaches to threads", `mkfifo $OUT.fifo; exec 3<>$OUT.fifo
		$THREADS many 20 <&3 & p=$!
		until [ $(ls /proc/$p/task | wc -l) = 21 ]; do sleep 0.01; done
		strace -f -o $OUT -p $p 2>/dev/null & s=$!
		until [ $(cat /proc/$p/task/*/status | grep -c "^TracerPid:[[:space:]]*$s\$") = 21 ]; do sleep 0.01; done
		exec 2>/dev/null; kill -9 $p; wait $p; echo $?; wait $s; echo $?; grep -c 'killed by SIGKILL' $OUT`},
	{"gdb runs a command", `gdb -q -nx -batch -ex 'catch fork' -ex run -ex 'delete 1' -ex cont --args sh -c '/bin/true; exit 5' >$OUT 2>&1
		echo $?; grep -c 'Catchpoint 1 (forked' $OUT; grep -o 'exited with code 05' $OUT`},
	{"gdb is the command", `exec gdb -q -nx -batch -ex run --args sh -c 'exit 5' >$OUT 2>&1`},
	{"gdb attaches to threads", `mkfifo $OUT.fifo; exec 3<>$OUT.fifo
		$THREADS many 20 <&3 & p=$!
		until [ $(ls /proc/$p/task | wc -l) = 21 ]; do sleep 0.01; done
		gdb -q -nx -batch -p $p -ex 'thread apply all print 40+2' -ex detach >$OUT 2>&1; echo $?; grep -c '= 42' $OUT
		[ $(cat /proc/$p/task/*/status | grep -c 'State:.*S') = 21 ] && echo sleep
		exec 2>/dev/null; kill -9 $p; wait $p; echo $?`},
	{"asks to be traced", `exec $NESTED`},
}

// debugScript is a command that runs a script of these in a directory of its own.
func debugScript(t *testing.T, text string, how func(argv ...string) []string) *exec.Cmd {
	t.Helper()
	argv := how("sh", "-c", text)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "OUT="+filepath.Join(t.TempDir(), "out"),
		"THREADS="+fixture(t, "threads"), "NESTED="+fixture(t, "nested"))
	return cmd
}

// releasing is a traced way that hands processes over, and the log.
func releasing(t *testing.T) (w *way, log string) {
	t.Helper()
	w, log = readWay(t), filepath.Join(t.TempDir(), "log")
	w.more = []string{"--on-ptrace", "release", "--log-level", "info", "--log-file", log}
	return w, log
}

// handedOver is how many processes were handed over, by the log of a pdig that has
// ended.
func handedOver(t *testing.T, log string) int {
	t.Helper()
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(text, []byte("process handed over to another tracer")); n > 1 {
		t.Errorf("it is said %d times", n)
	}
	m := regexp.MustCompile(`"processes":(\d+),.*"handed over to other tracers"`).FindSubmatch(text)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(string(m[1]))
	return n
}

// TestHandedOver: other tracers work as they do natively, below pdig and, launched
// and attached, beside each other.
func TestHandedOver(t *testing.T) {
	t.Parallel()
	needProgram(t, "strace")
	needProgram(t, "gdb")
	as := func(argv ...string) []string { return argv }
	for _, tt := range debugged {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := start(t, debugScript(t, tt.script, as)).wait(t).String()
			check := func(t *testing.T, got string, w *way, log string) {
				t.Helper()
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("native (-), traced (+):\n%s", diff)
				}
				eventually(t, "the tracer says how many", func() bool { return handedOver(t, log) > 0 })
				granted := func(r *record) bool { return r.call == "ptrace" && r.exit && r.ret == 0 }
				if count(w.reader.done(t), granted) == 0 {
					t.Errorf("no ptrace that has succeeded is recorded: %d records, %v", len(w.reader.records), results(w.reader.records, "ptrace"))
				}
			}
			t.Run("launched", func(t *testing.T) {
				t.Parallel()
				w, log := releasing(t)
				got := start(t, debugScript(t, tt.script, w.command)).wait(t).String()
				check(t, got, w, log)
			})
			t.Run("attached", func(t *testing.T) {
				t.Parallel()
				w, log := releasing(t)
				g := startTargetCmd(t, debugScript(t, "echo ready; read line;"+tt.script, as))
				p := start(t, exec.Command(pdigPath, append(append([]string{"--ring", w.prefix, "-e", "all"}, w.more...), "-p", strconv.Itoa(g.pid()))...))
				eventually(t, "it has attached", func() bool {
					text, _ := os.ReadFile(log)
					return strings.Contains(string(text), `"attached"`)
				})
				got := g.finish(t)
				if r := p.wait(t); r.String() != "status 0x0\n" {
					t.Errorf("got %s", r)
				}
				check(t, got, w, log)
			})
		})
	}
}

// TestNotHandedOver: whom the kernel would not let trace a process does not get it.
func TestNotHandedOver(t *testing.T) {
	t.Parallel()
	root(t)
	needProgram(t, "setpriv")
	const text = `sleep 1000 & p=$!
		setpriv --reuid 65534 --regid 65534 --clear-groups $NESTED $p
		grep TracerPid /proc/$p/status >&2; kill $p; wait $p; echo $?`
	w, log := releasing(t)
	cmd := debugScript(t, text, w.command)
	cmd.Env = append(cmd.Env, "NESTED="+copyProgram(t, fixture(t, "nested"), filepath.Join(dirOf(t, 0), "nested")))
	r := start(t, cmd).wait(t)
	if r.stdout != "PTRACE_SEIZE: EPERM\n143\n" || r.status != 0 {
		t.Errorf("got %s", r)
	}
	if strings.HasSuffix(strings.TrimSpace(r.stderr), ":\t0") {
		t.Errorf("the process was let go of: %s", r.stderr)
	}
	w.reader.everybody(t)
	checkRecords(t, w.reader.done(t))
	if n := handedOver(t, log); n != 0 {
		t.Errorf("%d processes were handed over", n)
	}
}

// TestPtraceReported: without being told to let go pdig leaves it to the kernel, which
// refuses, and the refusal is recorded.
func TestPtraceReported(t *testing.T) {
	t.Parallel()
	for _, every := range []bool{false, true} {
		w := readWay(t)
		w.every = every
		if got := w.run(t, fixture(t, "nested")).String(); got != "PTRACE_TRACEME: EPERM\nstatus 0x300\n" {
			t.Errorf("got %s", got)
		}
		w.reader.everybody(t)
		records := w.reader.done(t)
		checkRecords(t, records)
		if got := results(records, "ptrace"); len(got) != 1 || got[0] != -int64(unix.EPERM) {
			t.Errorf("results of ptrace: %v", got)
		}
	}
}

// TestHandedOverSummary: the table says that there is something that it does not count.
func TestHandedOverSummary(t *testing.T) {
	t.Parallel()
	w := readWay(t)
	w.more = []string{"--on-ptrace", "release", "-c"}
	r := w.run(t, "sh", "-c", fmt.Sprintf("%s; %s; exit 7", fixture(t, "nested"), fixture(t, "nested")))
	if r.status.ExitStatus() != 7 || strings.Count(r.stdout, "PTRACE_TRACEME: done\n") != 2 ||
		!strings.HasSuffix(r.stderr, "handed over to other tracers, and not counted from then on: 2\n") {
		t.Errorf("got %s", r)
	}
	behind := func(r *record) bool { return bytes.Contains(r.Bytes(), []byte("/behind/the/call")) }
	if n := count(w.reader.done(t), behind); n != 0 {
		t.Errorf("%d records of calls of another tracer's", n)
	}
}

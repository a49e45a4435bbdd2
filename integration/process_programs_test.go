package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Programs of others, as far as the machine has them.

// needProgram skips a test that needs a program, and returns where that is.
// .ci/run installs what is not part of every Debian.
func needProgram(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no %s on this machine", name)
	}
	return path
}

// runIn runs a command in a directory, in this way.
func (w *way) runIn(t *testing.T, dir string, argv ...string) result {
	t.Helper()
	argv = w.command(argv...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	return start(t, cmd).wait(t)
}

const pythonScript = `
import os, signal, socket, subprocess, tempfile, threading, multiprocessing

def work(n):
    return sum(i * i for i in range(n))

if __name__ == "__main__":
    results = []
    def thread(n):
        with tempfile.TemporaryFile() as f:
            f.write(b"x" * n)
            f.seek(0)
            results.append(len(f.read()))
    threads = [threading.Thread(target=thread, args=(n * 1000,)) for n in range(20)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    print(sorted(results))
    with multiprocessing.Pool(4) as pool:
        print(pool.map(work, range(0, 2000, 100)))
    print([subprocess.run(["sh", "-c", "exit %d" % n]).returncode for n in range(5)])
    print(subprocess.run(["sh", "-c", "kill -USR1 $$"]).returncode)
    print(subprocess.run("ls / | head -1", shell=True, capture_output=True).stdout)
    try:
        subprocess.run(["sleep", "10"], timeout=0.1)
    except subprocess.TimeoutExpired as e:
        print("timeout")
    server = socket.create_server(("127.0.0.1", 0))
    def serve():
        c, _ = server.accept()
        with c:
            c.sendall(c.recv(100).upper())
    t = threading.Thread(target=serve)
    t.start()
    with socket.create_connection(server.getsockname()) as c:
        c.sendall(b"hello")
        print(c.recv(100))
    t.join()
    got = []
    signal.signal(signal.SIGUSR2, lambda s, f: got.append(s))
    for _ in range(10):
        os.kill(os.getpid(), signal.SIGUSR2)
    print(len(got))
    r, w = os.pipe()
    if os.fork() == 0:
        os.write(w, b"from the child")
        os._exit(3)
    print(os.read(r, 100), os.wait()[1])
`

func TestPython(t *testing.T) {
	t.Parallel()
	python := needProgram(t, "python3")
	compare(t, func(t *testing.T, w *way) string { return w.run(t, python, "-c", pythonScript).String() })
}

// TestMake builds a small project with several processes at a time.
func TestMake(t *testing.T) {
	t.Parallel()
	makeProgram, _ := needProgram(t, "make"), needProgram(t, "gcc")
	compare(t, func(t *testing.T, w *way) string {
		dir := t.TempDir()
		var objects, calls, decls strings.Builder
		for i := range 12 {
			fmt.Fprintf(&objects, " f%d.o", i)
			fmt.Fprintf(&decls, "int f%d(void);\n", i)
			fmt.Fprintf(&calls, " + f%d()", i)
			write(t, dir, fmt.Sprintf("f%d.c", i), fmt.Sprintf("#include <stdio.h>\nint f%d(void) { return %d; }\n", i, i*i))
		}
		write(t, dir, "main.c", decls.String()+"#include <stdio.h>\nint main(void) { printf(\"%d\\n\", 0"+calls.String()+"); return 0; }\n")
		write(t, dir, "Makefile", "all: prog\n\t./prog\nprog: main.o"+objects.String()+"\n\t@$(CC) -o $@ $^\n%.o: %.c\n\t@$(CC) -c -O1 -o $@ $<\n.PHONY: fail\nfail: prog\n\t@exit 3\n")
		out := w.runIn(t, dir, makeProgram, "-s", "-j4").String()
		return out + w.runIn(t, dir, makeProgram, "-s", "-j4", "fail").String()
	})
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestGitClone clones a repository that it makes.
func TestGitClone(t *testing.T) {
	t.Parallel()
	needProgram(t, "git")
	const script = `
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null HOME=$PWD
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
export GIT_AUTHOR_DATE='2000-01-01T00:00:00Z' GIT_COMMITTER_DATE='2000-01-01T00:00:00Z'
set -e
git init -q -b main from; cd from
i=0; while [ $i -lt 5 ]; do echo $i > file$i; git add file$i; git commit -q -m $i; i=$((i+1)); done
git gc -q; cd ..
git clone -q --no-local from to; cd to; git log --format='%H %s'; git status --short; git fsck; ls`
	compare(t, func(t *testing.T, w *way) string { return w.runIn(t, t.TempDir(), "sh", "-c", script).String() })
}

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// fresh are programs that people have, each with what it needs besides a shell.
// The working directory is empty.
var fresh = map[string]struct {
	needs  string
	script string
}{
	"bash": {"bash", `ls | wc -l; for i in 1 2 3; do echo $i; done | tr 1 2; x=$(cat /etc/passwd); (cd /usr; ls -la bin | head -3); sleep 0.01 & wait
		trap "echo x" USR1; kill -USR1 $$; exec 7<>f; echo hi >&7; echo hello >g; rm f g`},
	"dash": {"dash", `exec dash -c 'for i in 1 2 3; do (echo $i | sed s/1/2/); done; sort </etc/passwd | uniq | head -2; umask; pwd; cd /usr/lib; ls | tail -1'`},
	"gcc":  {"gcc", `echo "int main(void) { return 0; }" >t.c && gcc -O1 -o t t.c && ./t`},
	"python": {"python3", `/usr/bin/python3 -c '
import subprocess, threading, multiprocessing
t = [threading.Thread(target=lambda i=i: subprocess.run(["echo", str(i)])) for i in range(4)]
[x.start() for x in t]; [x.join() for x in t]
with multiprocessing.Pool(2) as p: print(p.map(abs, [1, -2]))'`},
	"messages": {"python3", `/usr/bin/python3 $TESTDATA/messages.py .`},
	"redis": {"redis-server", `redis-server --port 0 --unixsocket s --save "" >/dev/null & s=$!
		until redis-cli -s s set a b; do sleep 0.05; done; redis-cli -s s get a; redis-cli -s s shutdown nosave; wait $s`},
	"git":  {"git", `export GIT_CONFIG_GLOBAL=/dev/null; git init -q g && cd g && echo a >a && git add a && git -c user.name=a -c user.email=b commit -qm x && git log --oneline`},
	"tar":  {"tar", `tar cz /usr/include/linux 2>/dev/null | tar tz | tail -2; find /usr/include/linux -name "k*" | xargs grep -l define | head -3`},
	"jobs": {"xargs", `seq 30 | xargs -P4 -n3 sh -c 'echo $0 $PPID; exec sleep 0.01'; (kill -SEGV $(sh -c 'echo $PPID')); mkfifo p; cat p & echo x >p; wait; ulimit -n; true`},
	"perl": {"perl", `perl -e 'use Socket; pipe(R, W); if (!fork) { print W "x\n"; exit 2 } close W; $x = <R>; wait;
		socket(S, PF_INET, SOCK_DGRAM, 17); bind(S, sockaddr_in(0, INADDR_ANY)); ($p) = sockaddr_in(getsockname(S));
		socket(C, PF_INET, SOCK_DGRAM, 17); send(C, "abc", 0, sockaddr_in($p, INADDR_LOOPBACK)); $f = recv(S, $b, 10, 0); send(S, "def", 0, $f); recv(C, $b, 10, 0)'`},
}

// TestFreshCaptures has sysdig -u write captures of them over pdig, and wants
// the sensor to print the same lines, and sysdig those of what the sensor makes
// of the captures.
func TestFreshCaptures(t *testing.T) {
	t.Parallel()
	sysdig := needSysdig(t)
	testdata, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for name, program := range fresh {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			needProgram(t, program.needs)
			ownSharedMemory(t)
			dir := t.TempDir()
			script := fmt.Sprintf("exec 2>/dev/null; cd %s && TESTDATA=%s\n%s", strconv.Quote(t.TempDir()), strconv.Quote(testdata), program.script)
			file := filepath.Join(dir, "capture")
			// The parent of pdig comes and goes behind sysdig's back.
			s := startSysdigWith(t, "-w", file)
			exited(t, runCommand(t, "/bin/sh", "-c", `"$@"; exit $?`, "sh", pdigPath, "-e", "all", "--", "/bin/sh", "-c", script), 0)
			s.wait("sysdig has read all", func() bool { return descriptor(0, 4) == descriptor(4, 4) })
			s.end(unix.SIGINT)
			sameLines(t, "of sysdig", readCapture(t, sysdig, file), readCapture(t, sensorPath, file))
			writtenAgain(t, sysdig, file)
			last := file + ".last"
			if r := runCommand(t, sensorPath, "-r", file, "-w", last, "--last", "1G"); r.status != 0 {
				t.Errorf("--last: status %#x: %s", r.status, r.stderr)
			}
			sameLines(t, "kept in memory", readCapture(t, sysdig, file), readCapture(t, sysdig, last))
			if err := os.Remove(file); err != nil {
				t.Error(err)
			}
		})
	}
}

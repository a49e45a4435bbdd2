package integration

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

var allFresh = flag.Bool("fresh", false, "record more programs in TestFreshCaptures, and compare their captures in all conditions and formats of TestLanguage")

// program is one that people have, with what it needs besides a shell. The working
// directory is empty.
type program struct{ needs, script string }

var fresh = map[string]program{
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

// moreFresh are for those who have the time.
var moreFresh = map[string]program{
	"g++": {"g++", `echo "#include <string>
		int main() { std::string s = \"a\"; return s.size() - 1; }" >t.cc && g++ -O1 -o t t.cc && ./t`},
	"make": {"make", `printf 'all: a b c\na b c:\n\techo $@ >$@; sleep 0.01\n' >Makefile && make -j3 && make -n`},
	"text": {"awk", `seq 99 >a; awk '{s += $1} END {print s}' a; sed -i s/9/8/ a; seq 99 | diff - a >p; split -l 20 a x; cat x* | sort -n | tail -1
		while read n; do :; done <a; awk 'BEGIN { while (("ls" | getline f) > 0) print f | "cat" }'`},
	"nginx": {"nginx", `mkdir t; echo "worker_processes 2; error_log stderr; pid p; events {} http { access_log l; client_body_temp_path t; proxy_temp_path t;
		fastcgi_temp_path t; uwsgi_temp_path t; scgi_temp_path t; server { listen unix:$PWD/s; root $PWD; } }" >c; echo hello >index.html; chmod 755 . index.html
		nginx -p . -c $PWD/c & until [ -S s ]; do sleep 0.05; done; chmod 777 s
		for i in 1 2 3; do curl -s --unix-socket s http://x/; done; curl -s --unix-socket s http://x/none; kill $(cat p); wait`},
	"http": {"python3", `/usr/bin/python3 -c '
import http.server, threading, urllib.request
for family, host in ((2, "127.0.0.1"), (10, "::1")):
    kind = type("Server", (http.server.ThreadingHTTPServer,), {"address_family": family})
    s = kind((host, 0), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=s.serve_forever).start()
    try: print(urllib.request.urlopen("http://%s:%d/" % ("[::1]" if family == 10 else host, s.server_port)).read())
    finally: s.shutdown()'`},
	"sockets": {"python3", `/usr/bin/python3 $TESTDATA/sockets.py . || true`},
	"sqlite":  {"sqlite3", `sqlite3 d 'create table t(a); insert into t values(1),(2); begin; delete from t where a=1; commit; select sum(a) from t; vacuum'; sqlite3 d .dump`},
	"node": {"node", `node -e 'const f = require("fs"), c = require("child_process"); f.writeFileSync("a", "x"); f.readFile("a", () => c.exec("cat a", (e, o) => console.log(o)));
		const n = require("net"), s = n.createServer(c => c.end("hi")).listen(0, "127.0.0.1", () => n.connect(s.address().port).on("data", () => s.close()))'`},
	"openssl": {"openssl", `openssl rand -hex 2000 >r; openssl dgst -sha256 r; openssl enc -aes-128-cbc -pbkdf2 -k x -in r -out e; openssl enc -d -aes-128-cbc -pbkdf2 -k x -in e | cmp - r; gzip -k r; xz -k r; ls -l`},
	"signals": {"python3", `/usr/bin/python3 -c '
import os, signal, time, select, mmap
signal.signal(signal.SIGALRM, lambda *a: print("alarm")); signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
time.sleep(0.05); signal.setitimer(signal.ITIMER_REAL, 0)
r, w = os.pipe(); signal.set_wakeup_fd; p = os.fork()
if not p: os.setsid(); os.dup2(w, 9); os.write(9, b"child"); os.kill(os.getpid(), signal.SIGKILL)
e = select.epoll(); e.register(r, select.EPOLLIN); e.poll(1); os.read(r, 9); print(os.waitpid(p, 0))
m = mmap.mmap(-1, 1 << 20); m[0] = 1; m.close(); signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1]); os.kill(os.getpid(), signal.SIGUSR1); print(signal.sigwait([signal.SIGUSR1]))'`},
	"users": {"setpriv", `setpriv --reuid 65534 --regid 65534 --clear-groups sh -c 'id; cat /etc/shadow; cd /; ls'; unshare -m sh -c 'cd /usr; pwd'; unshare -pf sh -c 'echo $$; sleep 0.01 & wait'`},
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
	programs := maps.Clone(fresh)
	if *allFresh {
		maps.Copy(programs, moreFresh)
	}
	for name, program := range programs {
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
			for _, p := range peers(t) {
				p.same(t, file, nil, nil)
				p.sameAgain(t, file)
				if *allFresh {
					p.language(t, file)
				}
			}
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

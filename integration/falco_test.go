package integration

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pdig/pdig/sensor/capture"
	"github.com/pdig/pdig/shm"
)

// falcoHost is testdata/falcohost.cpp, compiled.
var falcoHost = flag.String("falco.host", "", "the `command` that loads a plugin as Falco's library (0.23) does: see testdata/falcohost.cpp")

// falcoSysdig reads captures with the same library.
var falcoSysdig = flag.String("falco.sysdig", "", "the `command` of a sysdig 0.41.4, to read the same records from a file")

// falcoLine is what is compared: all that a rule may ask about the event, the program
// and the descriptor.
const falcoLine = "*%evt.rawtime|%evt.type|%thread.tid|%proc.name|%proc.cmdline|%fd.typechar|%fd.name|%evt.args"

// TestFalcoHost: Falco's own library makes of the records of a ring, by the plugin, what
// our sensor makes of the same records, and what sysdig makes of them in a file. In block
// mode none is lost.
func TestFalcoHost(t *testing.T) {
	if *falcoHost == "" {
		t.Skip("needs Falco's library 0.23, which Debian 12 does not have: -falco.host")
	}
	library := falcoLibrary(t)
	for name, script := range map[string]string{
		"bash":   "cd /tmp; for i in 1 2 3; do echo $i | cat | tr 1 2; done; (exec /bin/true); ls /etc; read x </etc/hostname; true",
		"python": "python3 testdata/sockets.py $DIR",
		"go":     "go build -a -o $DIR/out internal/abi",
		"nginx":  nginxUnderLoad,
	} {
		t.Run(name, func(t *testing.T) {
			if name == "nginx" {
				needProgram(t, name)
			}
			dir := t.TempDir()
			file := filepath.Join(dir, "all.scap")
			cmd := exec.Command(sensorPath, "-w", file, "-q", "-A", "--", "bash", "-c", `exec </dev/null >/dev/null 2>&1; exec bash "$DIR/script"`)
			cmd.Env = append(os.Environ(), "DIR="+dir)
			if err := os.WriteFile(filepath.Join(dir, "script"), []byte(script), 0o666); err != nil {
				t.Fatal(err)
			}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			got, said := hostLines(t, library, file)
			for _, line := range []string{"\npdig.lost=0\n", "\npdig.seen="} {
				if !strings.Contains(said, line) {
					t.Errorf("no %q in %s", line, said)
				}
			}
			readers := map[string]*exec.Cmd{"sensor": exec.Command(sensorPath, "-r", file, "--style", "newest", "-p", falcoLine)}
			if *falcoSysdig != "" {
				readers["sysdig"] = exec.Command(*falcoSysdig, "-r", file, "-p", falcoLine)
			}
			for name, reader := range readers {
				want, err := reader.Output()
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				wantLines, gotLines := pairs(string(want), got)
				if len(gotLines) < 50 {
					t.Fatalf("%d lines: %s", len(gotLines), said)
				}
				if diff := cmp.Diff(wantLines, gotLines); diff != "" {
					t.Errorf("%d and %d lines: %s -, Falco's library +:\n%.6000s", len(wantLines), len(gotLines), name, diff)
				}
				t.Logf("%d events as %s has them", len(gotLines), name)
			}
			t.Log(said)
		})
	}
}

const nginxUnderLoad = `cd $DIR && mkdir -p logs &&
cat >conf <<END
daemon off; pid $DIR/pid; error_log $DIR/log; worker_processes 1;
events { worker_connections 64; }
http { access_log off; client_body_temp_path $DIR/b; proxy_temp_path $DIR/p; fastcgi_temp_path $DIR/f;
 uwsgi_temp_path $DIR/u; scgi_temp_path $DIR/s; server { listen 127.0.0.1:38471; location / { return 200 ok; } } }
END
nginx -p $DIR -c $DIR/conf & for i in $(seq 100); do [ -s $DIR/pid ] && break; sleep 0.1; done
python3 -c 'import urllib.request as r; [r.urlopen("http://127.0.0.1:38471/").read() for i in range(300)]'
kill %1; wait; true`

// falcoLibrary builds the plugin.
func falcoLibrary(t *testing.T) string {
	t.Helper()
	library := filepath.Join(t.TempDir(), "libpdig.so")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-tags", "netgo,osusergo", "-buildmode=c-shared", "-o", library, "../shm/falcoplugin/libpdig")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return library
}

// hostLines writes the records of a capture into a ring that the host reads, and returns
// what it prints, and says at its end.
func hostLines(t *testing.T, library, file string) (lines, said string) {
	t.Helper()
	ring := filepath.Join(t.TempDir(), "ring")
	cmd := exec.Command(*falcoHost, library, "", ring, falcoLine)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	out := bufio.NewReader(stdout)
	if first, err := out.ReadString('\n'); first != "open\n" {
		t.Fatalf("the host begins with %q: %v: %s", first, err, &errs)
	}
	done := make(chan string)
	go func() {
		b, _ := io.ReadAll(out)
		done <- string(b)
	}()
	replayInto(t, file, ring)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	lines = <-done
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the host: %v: %s", err, &errs)
	}
	return lines, errs.String()
}

// replayInto writes the events of a capture into a ring.
func replayInto(t *testing.T, file, ring string) {
	t.Helper()
	r, err := capture.Open(file, nil, func(capture.Entry) {})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := shm.NewProducer(shm.ProducerConfig{Config: shm.Config{Prefix: ring}, Block: true})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if !p.Active() {
		t.Fatal("nobody reads the ring")
	}
	for {
		rec, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return
		case errors.Is(err, os.ErrDeadlineExceeded):
		case err != nil:
			t.Fatal(err)
		case !p.Write(rec, shm.Normal):
			t.Fatal("a record is not written")
		}
	}
}

// pairs are the lines of both, without what only one of them can know. The lines are of
// a capture, so the host, which asks a living /proc, does not know the descriptors that the
// first program has inherited: what it does with them is left out, up to its second
// exec. And the sensor, like sysdig, cuts long arguments of programs. Records that are
// written for sysdig 0.29 have no number of the youngest calls, which files, but no living
// source, are searched for another one.
func pairs(sensor, host string) (a, b []string) {
	sensorLines, hostLines := strings.Split(sensor, "\n"), strings.Split(host, "\n")
	hostLines = slices.DeleteFunc(hostLines, func(line string) bool { return strings.Contains(line, "|pdig_tracer|") })
	execs := 0
	for i := range max(len(sensorLines), len(hostLines)) {
		var x, y []string
		if i < len(sensorLines) {
			x = strings.SplitN(sensorLines[i], "|", 8)
		}
		if i < len(hostLines) {
			y = strings.SplitN(hostLines[i], "|", 8)
		}
		if len(x) == 8 && len(y) == 8 {
			switch {
			case x[1] == "execve" && strings.HasPrefix(x[7], "res=0"):
				execs++
				x[7], y[7] = "", ""
			case strings.Contains(y[7], " exe="):
				x[7], y[7] = "", ""
			}
			if execs < 2 {
				continue
			}
			// What the library shows otherwise, in files too: the sensor names a file that
			// was not opened as the call did, and a connection that did not come about
			// NULL; and it goes on to know a descriptor that a call without an event of its
			// own has made anew.
			switch {
			case x[1] == "connect" && x[6] == "NULL":
				x[6] = ""
			case x[1] == "close" && y[5] == "o":
				x, y = x[:5], y[:5]
			}
			if len(x) == 8 && strings.HasPrefix(y[7], "fd=-") && strings.HasPrefix(x[6], "/") {
				x[6] = path.Clean(x[6])
			}
			if y[1] == "unknown" {
				x[1] = y[1]
			}
		}
		a, b = append(a, strings.Join(x, "|")), append(b, strings.Join(y, "|"))
	}
	return a, b
}

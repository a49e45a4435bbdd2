package integration

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// nginxConf has a master and a worker of another user, which tell all they do on the
// streams of their container, as the image of nginx has it.
const nginxConf = `daemon off; pid /out/pid; error_log stderr notice; worker_processes 1;
events { worker_connections 64; }
http {
	log_format plain '$request $status $body_bytes_sent'; access_log /dev/stdout plain;
	client_body_temp_path /out/body; proxy_temp_path /out/proxy; fastcgi_temp_path /out/fastcgi;
	uwsgi_temp_path /out/uwsgi; scgi_temp_path /out/scgi;
	server { listen unix:/out/socket; root /out/html; }
}
`

// nginxProfiles are the seccomp profiles below which nginx is stopped by a signal: all of
// them for each user.
var nginxProfiles = map[unix.Signal][]string{
	unix.SIGQUIT: {"Docker 20.10", "containerd 1.7"},
	unix.SIGTERM: {"Docker 25", "containerd 1.6"},
}

// TestFalcoTraceNginx: the logs of nginx are those of a container without us, the signal
// that stops the container reaches its handler, and what its worker does is seen.
func TestFalcoTraceNginx(t *testing.T) {
	needContainers(t)
	needProgram(t, "nginx")
	for _, user := range []containerUser{asRoot, asConfined} {
		for stop, how := range map[unix.Signal]string{unix.SIGQUIT: "gracefully shutting down", unix.SIGTERM: "signal 15 (SIGTERM) received"} {
			t.Run(unix.SignalName(stop)+" as "+user.name, func(t *testing.T) {
				t.Parallel()
				want := serveNginx(t, &container{user: user}, stop)
				for _, text := range []string{"GET /page HTTP/1.1 200 5\n", "GET /none HTTP/1.1 404 ", "status 0x0\n", how} {
					if !strings.Contains(want, text) {
						t.Fatalf("natively there is no %q in\n%s", text, want)
					}
				}
				for _, profile := range nginxProfiles[stop] {
					c := &container{user: user, seccomp: seccompConfig(seccompProfiles[profile]), noShm: true, noExec: true}
					if diff := cmp.Diff(want, serveNginx(t, c, stop, "falco-trace", "run", "-o", "/out/events", "--")); diff != "" {
						t.Errorf("%s: (-native +wrapped)\n%s", profile, diff)
					}
					c.awaitEvents(t, " args=-c./out/conf.-p./out.", " name=/out/html/page ", " name=/out/html/none ", " < accept", "> procexit status=0 ")
				}
			})
		}
	}
}

// serveNginx runs nginx in a container, with words before it, until it is stopped by a
// signal, and returns its logs.
func serveNginx(t *testing.T, c *container, stop unix.Signal, wrap ...string) string {
	t.Helper()
	c.args = append(wrap, "nginx", "-c", "/out/conf", "-p", "/out")
	c.prepare(t)
	for name, text := range map[string]string{"conf": nginxConf, "html/page": "page\n"} {
		file := filepath.Join(c.out, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p := start(t, c.command())
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, // a connection that is open holds a graceful end
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return net.Dial("unix", filepath.Join(c.out, "socket"))
		},
	}}
	get := func(path string) (int, string) {
		r, err := client.Get("http://container" + path)
		if err != nil {
			return 0, err.Error()
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return 0, err.Error()
		}
		return r.StatusCode, string(b)
	}
	eventually(t, "nginx answers", func() bool {
		status, body := get("/page")
		return status == http.StatusOK && body == "page\n"
	})
	if status, body := get("/none"); status != http.StatusNotFound {
		t.Errorf("got %d, %s", status, body)
	}
	if out, err := c.runc("kill", c.id, fmt.Sprint(int(stop))).CombinedOutput(); err != nil {
		t.Fatalf("runc kill: %v: %s", err, out)
	}
	return sameLogs(p.wait(t).String())
}

var (
	nginxClock  = regexp.MustCompile(`(?m)^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d `)
	nginxWorker = regexp.MustCompile(`start worker process (\d+)\n`)
)

// sameLogs leaves out the times and the number of the worker. Master and worker write at the
// same time, so lines come in any order, and a signal of the one that is under way when the
// other ends may be told or not.
func sameLogs(text string) string {
	text = nginxClock.ReplaceAllString(text, "")
	if m := nginxWorker.FindStringSubmatch(text); m != nil {
		text = strings.NewReplacer(m[1]+"#"+m[1], "WORKER", "process "+m[1], "process WORKER", "from "+m[1], "from WORKER").Replace(text)
	}
	lines := slices.DeleteFunc(strings.SplitAfter(text, "\n"), func(line string) bool {
		return strings.Contains(line, "signal 29 (SIGIO) received")
	})
	slices.Sort(lines)
	return strings.Join(lines, "")
}

package cmdline

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

// TestEnvironment: options are given by variables, but those that say nothing to the source
// are for others.
func TestEnvironment(t *testing.T) {
	for name, value := range map[string]string{
		"JSON": "true", "FILTER": "evt.type=open", "RING": "/nowhere/ring", "RING_SIZE": "1M", "ADOPT": "true", "ARGS_LIMIT": "100", "SNAPLEN": "", "PORT": "tcp://10.0.0.1:80",
	} {
		t.Setenv("HOST_"+name, value)
	}
	host := Host{Variables: "HOST_"}
	for _, row := range []struct {
		args, filter string
		changed      []string
	}{
		{"-u", "evt.type=open", []string{"userspace", "ring", "json"}},
		{"-u evt.type=close", "evt.type=close", []string{"userspace", "ring", "json"}},
		{"-r file", "evt.type=open", []string{"read", "json"}},
		{"-- true", "evt.type=open", []string{"ring-size", "adopt", "args-limit", "json"}},
		{"--json=false -- true", "evt.type=open", []string{"ring-size", "adopt", "args-limit", "json"}},
	} {
		o, err := host.parse(strings.Fields(row.args))
		if err != nil {
			t.Errorf("%s: %v", row.args, err)
			continue
		}
		var changed []string
		o.flags.VisitAll(func(f *pflag.Flag) {
			if f.Changed {
				changed = append(changed, f.Name)
			}
		})
		if diff := cmp.Diff(row.changed, changed); diff != "" || o.json == strings.Contains(row.args, "false") {
			t.Errorf("%s: json %v, options (-want +got)\n%s", row.args, o.json, diff)
		}
		if words, err := host.environment(newOptions(), nil); err != nil || !slices.Equal(words, []string{"evt.type=open"}) {
			t.Errorf("filter: got %q, %v", words, err)
		}
	}
	t.Setenv("HOST_SNAPLEN", "many")
	if _, err := host.parse([]string{"-u"}); err == nil || err.Error() != `HOST_SNAPLEN: --snaplen: "many" is not a whole number` {
		t.Errorf("got %v", err)
	}
	if o, err := (Host{}).parse([]string{"-u"}); err != nil || o.json {
		t.Errorf("without variables: json %v, %v", o.json, err)
	}
}

// TestOutputs: events go where -o says.
func TestOutputs(t *testing.T) {
	capture, path := filepath.Join(t.TempDir(), "f.scap"), filepath.Join(t.TempDir(), "socket")
	writeCapture(t, capture, 3)
	_, want, _ := runWith("-r", capture)
	if want == "" {
		t.Fatal("there are no events")
	}
	if status, stdout, stderr := runWith("-r", capture, "-o", "stdout"); status != 0 || stdout != want {
		t.Errorf("stdout: got %d, %s%s", status, stdout, stderr)
	}
	if status, stdout, stderr := runWith("-r", capture, "-o", "stderr"); status != 0 || stdout != "" || !strings.HasPrefix(stderr, want) {
		t.Errorf("stderr: got %d, %s%s", status, stdout, stderr)
	}
	if status, _, stderr := runWith("-r", capture, "-o", "unix:"+path); status != statusFailed || stderr != "sensor: --output: connect to "+path+": no such file or directory\n" {
		t.Errorf("nobody listens: got %d, %s", status, stderr)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			got <- err.Error()
			return
		}
		defer c.Close()
		b, err := io.ReadAll(c)
		got <- fmt.Sprint(string(b), err)
	}()
	if status, stdout, stderr := runWith("-r", capture, "-o", "unix:"+path); status != 0 || stdout != "" {
		t.Errorf("socket: got %d, %s%s", status, stdout, stderr)
	}
	if got := <-got; got != want+"<nil>" {
		t.Errorf("socket: got %s", got)
	}
}

package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/pdig/pdig/internal/cli"
)

// TestErrors wants one line that names what is wrong.
func TestErrors(t *testing.T) {
	for _, row := range []struct {
		role, args string
		env        []string
		want       string
	}{
		{"run", "--bad true", nil, "unknown option: --bad (see falco-trace run --help)"},
		{"run", "-o stdout", nil, "no command given (see falco-trace --help)"},
		{"run", "-o stdout --ring x true", nil, "--ring: a sensor that is started by --output or --write has a ring of its own"},
		{"run", "-p 1", nil, "unknown option: -p (see falco-trace run --help)"},
		{"run", "-o stdout --snaplen 0 true", nil, `--snaplen: "0" is not between 1 and 65000`},
		{"run", "-o stdout --time x true", nil, `--time: "x" is not h, a, r, d or D`},
		{"run", "-o stdout --filter nosuch=1 true", nil, "filter: 1:7: "},
		{"run", "true", []string{"FALCO_TRACE_SNAPLEN=many"}, `FALCO_TRACE_SNAPLEN: --snaplen: "many" is not a whole number`},
		{"run", "true", []string{"FALCO_TRACE_PRIORITY=high"}, `--priority: "high" is not availability or security`},
		{"run", "true", []string{"FALCO_TRACE_JSON=perhaps"}, `FALCO_TRACE_JSON: --json: "perhaps" is not true or false`},
		{"attach", "", nil, "no command given (see falco-trace --help)"},
		{"attach", "-p 1 true", nil, `--pid and --proc-tree exclude a command: "true"`},
		{"attach", "-p x", nil, `--pid: "x" is not the number of a process`},
		{"attach", "-p 1 --wait-all", nil, "unknown option: --wait-all (see falco-trace attach --help)"},
	} {
		o := rolesOptions(row.role)
		for _, v := range row.env {
			name, value, _ := strings.Cut(v, "=")
			t.Setenv(name, value)
		}
		err := o.parse(strings.Fields(row.args))
		if err == nil || !strings.HasPrefix(err.Error(), row.want) {
			t.Errorf("%s %s %q: got %v, want %s", row.role, row.args, row.env, err, row.want)
		}
		for _, v := range row.env {
			name, _, _ := strings.Cut(v, "=")
			os.Unsetenv(name)
		}
	}
}

func rolesOptions(role string) *options {
	if role == roleRun {
		return runOptions()
	}
	return attachOptions()
}

// values are such as each option takes; those of the others are true.
var values = map[string]string{
	"output": "stdout", "events": "io", "snaplen": "100", "args-limit": "100", "ring-mode": "0660", "on-full": "block",
	"schema": "336", "wait-sensor": "5s", "priority": "security", "on-ptrace": "release", "pin": "never",
	"seccomp": "never", "io-uring": "deny", "log-level": "info", "log-file": "/log", "write": "/capture", "ring-size": "1M",
	"format": "%evt.type", "time": "a", "style": "newest", "data": "hex", "file-size": "1", "file-seconds": "1",
	"limit": "1", "last": "1M", "filter": "proc.name=a", "pid": "1", "proc-tree": "1", "ring": "/ring",
}

// TestEnvironment: every option of every role may be given by a variable.
func TestEnvironment(t *testing.T) {
	t.Setenv("FALCO_TRACE_PORT", "tcp://10.0.0.1:80") // of a service of Kubernetes
	for _, role := range []string{roleRun, "attach"} {
		rolesOptions(role).flags.VisitAll(func(f *pflag.Flag) {
			if f.Name == "help" {
				return
			}
			value := values[f.Name]
			if value == "" {
				value = "true"
			}
			name := cli.Variable(variables, f.Name)
			t.Setenv(name, value)
			defer os.Unsetenv(name)
			o := rolesOptions(role)
			// What is between options is said by other tests.
			_ = o.parse([]string{"true"})
			if got := o.flags.Lookup(f.Name); !got.Changed || strings.Trim(got.Value.String(), "[]") != value {
				t.Errorf("%s: %s=%s: got %q, changed %v", role, name, value, got.Value, got.Changed)
			}
			given := rolesOptions(role)
			if err := given.flags.Set(f.Name, value); err != nil {
				t.Fatal(err)
			}
			t.Setenv(name, "")
			empty := rolesOptions(role)
			_ = empty.parse([]string{"true"})
			if empty.flags.Changed(f.Name) {
				t.Errorf("%s: %s is set by an empty variable", role, f.Name)
			}
		})
	}
}

// TestCommandOf: what verify is told of the arguments and variables of an image is what run
// makes of them.
func TestCommandOf(t *testing.T) {
	t.Setenv("FALCO_TRACE_JSON", "perhaps") // of this process, not of the image
	for _, row := range []struct{ args, env, want string }{
		{"-- nginx -t", "", "nginx -t"},
		{"-o stderr nginx -t", "FALCO_TRACE_SNAPLEN=100", "nginx -t"},
		{"-o stderr", "", ""},
		{"--nosuch -- nginx", "", "unknown option: --nosuch (see falco-trace run --help)"},
		{"-- nginx", "FALCO_TRACE_PRIORITY=high", `--priority: "high" is not availability or security`},
		{"-o stderr -- nginx", "FALCO_TRACE_RING=/ring", "--ring: a sensor that is started by --output or --write has a ring of its own"},
	} {
		command, err := commandOf(strings.Fields(row.args), func(name string) (string, bool) {
			set, value, ok := strings.Cut(row.env, "=")
			if set != name {
				return "", false
			}
			return value, ok
		})
		got := strings.Join(command, " ")
		if err != nil {
			got = err.Error()
		}
		if got != row.want {
			t.Errorf("%s, %s: got %s, want %s", row.args, row.env, got, row.want)
		}
	}
}

// TestSensorArgs: the sensor gets its options, and no others.
func TestSensorArgs(t *testing.T) {
	for args, want := range map[string]string{
		"-o stdout -e io --snaplen 99 --json --time a --filter proc.name=a -- true -x": "--snaplen=99 --json=true --time=a proc.name=a",
		"-o f --log-file /log -w /capture -z true":                                     "--log-file=/log --write=/capture --compress=true",
		"-w /capture true": "--quiet --write=/capture",
	} {
		o := runOptions()
		if err := o.parse(strings.Fields(args)); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(o.sensorArgs(), " "); got != want {
			t.Errorf("%s: got %s, want %s", args, got, want)
		}
	}
}

func TestDispatch(t *testing.T) {
	for _, row := range []struct {
		args           string
		status         int
		stdout, stderr string
	}{
		{"", 2, "", "falco-trace: no role given (see falco-trace --help)\n"},
		{"nosuch", 2, "", "falco-trace: unknown role: nosuch (see falco-trace --help)\n"},
		{"--version", 0, "falco-trace unknown\n", ""},
		{"beside", 2, "", "sensor: a sensor beside a tracer is started by that only\n"},
		{"copy", 2, "", "falco-trace: copy: want one directory, [] given\n"},
		{"copy --nosuch", 2, "", "falco-trace: unknown option: --nosuch (see falco-trace copy --help)\n"},
		{"doctor x", 2, "", "falco-trace: --doctor excludes a command: \"x\"\n"},
	} {
		var out, words bytes.Buffer
		status := dispatch(strings.Fields(row.args), &out, &words)
		if status != row.status || out.String() != row.stdout || words.String() != row.stderr {
			t.Errorf("%q: got status %d, stdout %q, stderr %q", row.args, status, &out, &words)
		}
	}
}

// TestHelp: each role of the usage has its help.
func TestHelp(t *testing.T) {
	for _, role := range []string{roleRun, "attach", "copy", "doctor", "verify"} {
		var out, words bytes.Buffer
		if status := dispatch([]string{role, "--help"}, &out, &words); status != 0 || !strings.HasPrefix(out.String(), "usage: falco-trace "+role) || words.Len() > 0 {
			t.Errorf("%s: status %d, stdout %q, stderr %q", role, status, &out, &words)
		}
		if role == roleRun && !strings.Contains(out.String(), "(default never; with -o") {
			t.Error("the help does not say that a sensor that is started is waited for")
		}
	}
}

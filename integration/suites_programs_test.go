package integration

import (
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// suites are those that are run: tests that projects have of themselves, and
// scripts of ours that start their programs, have them work and stop them.
var suites = []suite{
	{name: "go exec", quick: true, ways: moreWays, needs: []string{"go"}, run: goTests("os/exec")},
	{name: "go signal", quick: true, ways: moreWays, needs: []string{"go"}, run: goTests("os/signal")},
	{name: "go syscall", ways: moreWays, needs: []string{"go"}, run: goTests("syscall")},
	{name: "go net", needs: []string{"go"}, run: goTests("net")},
	{name: "go os", needs: []string{"go"}, run: goTests("os")},
	// It has tests of gdb, which is installed or not.
	{name: "go runtime", needs: []string{"go", "gcc"}, more: []string{"--on-ptrace", "release"}, looks: "TestDebugCall", run: goTests("runtime")},
	{name: "python test_signal", ways: moreWays, lacks: pythonTestsLack, run: pythonTests("test_signal")},
	{name: "python test_subprocess", lacks: pythonTestsLack, run: pythonTests("test_subprocess")},
	{name: "python test_os", lacks: pythonTestsLack, run: pythonTests("test_os")},
	{name: "python test_posix", ways: moreWays, lacks: pythonTestsLack, run: pythonTests("test_posix")},
	{name: "python test_threading", lacks: pythonTestsLack, run: pythonTests("test_threading")},
	{name: "python test_faulthandler", lacks: pythonTestsLack, run: pythonTests("test_faulthandler")},
	{name: "python test_pty", lacks: pythonTestsLack, run: pythonTests("test_pty")},
	// Some machines have a vsock that never answers.
	{name: "python test_socket", lacks: pythonTestsLack, run: pythonTests("test_socket", "-i", "*VSOCK*")},
	{name: "make", ways: moreWays, needs: []string{"make", "gcc"}, run: suiteScript("make")},
	{name: "rights", quick: true, root: true, ways: moreWays, needs: []string{"su"}, run: suiteScript("rights")},
	{name: "timeout", quick: true, ways: moreWays, needs: []string{"timeout", "pgrep"}, run: suiteScript("timeout")},
	{name: "redis", ways: moreWays, needs: []string{"redis-server", "redis-cli", "redis-benchmark"}, run: suiteScript("redis")},
	{name: "nginx", ways: moreWays, needs: []string{"nginx", "ab", "pgrep"}, run: suiteScript("nginx")},
	{name: "postgres", needs: []string{"initdb", "pg_ctl", "psql", "pgbench"}, run: suiteScript("postgres")},
	{name: "java", needs: []string{"java", "javac"}, run: suiteScript("java")},
	{name: "node", needs: []string{"node"}, run: suiteScript("node")},
}

// moreWays is for suites that do not take long.
var moreWays = []string{"all", "block", "never"}

// suiteScript is a suite in testdata/suites/NAME.sh.
func suiteScript(name string) func(*testing.T, *way, string) verdicts {
	return func(t *testing.T, w *way, dir string) verdicts {
		scripts, err := filepath.Abs("testdata/suites")
		if err != nil {
			t.Fatal(err)
		}
		r := w.runSuite(t, dir, []string{"SUITES=" + scripts}, "sh", filepath.Join(scripts, name+".sh"))
		v := statusVerdict(r)
		for line := range strings.Lines(r.stdout) {
			if verdict, name, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
				name, _, _ = strings.Cut(name, ":")
				v[name] = verdict
			}
		}
		if v.count(passed) != len(v) {
			t.Logf("%s%s", r.stdout, r.stderr)
		}
		return v
	}
}

// goTests are the tests that the Go project has of a package.
func goTests(pkg string, more ...string) func(*testing.T, *way, string) verdicts {
	return func(t *testing.T, w *way, _ string) verdicts {
		program := filepath.Join(fixtureDir, strings.ReplaceAll(pkg, "/", "-")+".test")
		if _, err := os.Stat(program); err != nil {
			if out, err := exec.Command("go", "test", "-c", "-o", program, pkg).CombinedOutput(); err != nil {
				t.Skipf("the tests of %s cannot be built: %s", pkg, out)
			}
		}
		source, err := exec.Command("go", "list", "-f", "{{.Dir}}", pkg).Output()
		if err != nil {
			t.Fatal(err)
		}
		r := w.runSuite(t, strings.TrimSpace(string(source)), nil,
			append([]string{program, "-test.short", "-test.v"}, more...)...)
		v := statusVerdict(r)
		for line := range strings.Lines(r.stdout) {
			for mark, verdict := range map[string]string{"--- PASS: ": passed, "--- FAIL: ": failed, "--- SKIP: ": skipped} {
				if name, ok := strings.CutPrefix(strings.TrimSpace(line), mark); ok {
					name, _, _ = strings.Cut(name, " (")
					v[name] = verdict
				}
			}
		}
		return v
	}
}

// statusVerdict begins verdicts with the status of the whole.
func statusVerdict(r result) verdicts {
	if r.status == 0 {
		return verdicts{"status": passed}
	}
	return verdicts{"status": strconv.Itoa(int(r.status))}
}

// pythonProgram is that of the system: one that a manager of versions puts in
// front starts through other programs.
const pythonProgram = "/usr/bin/python3"

// pythonTestsLack: its tests are a package of their own.
func pythonTestsLack() string {
	if exec.Command(pythonProgram, "-c", "import test.test_signal").Run() != nil {
		return "no tests of " + pythonProgram + " on this machine"
	}
	return ""
}

// pythonTests are those that the Python project has of a module.
func pythonTests(module string, options ...string) func(*testing.T, *way, string) verdicts {
	return func(t *testing.T, w *way, dir string) verdicts {
		file := filepath.Join(dir, "results.xml")
		argv := append([]string{pythonProgram, "-m", "test", "-v", "--junit-xml", file}, options...)
		r := w.runSuite(t, dir, nil, append(argv, module)...)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("no results: %v\n%s%s", err, tail(r.stdout), tail(r.stderr))
		}
		v, err := junit(text)
		if err != nil {
			t.Fatalf("results: %v\n%s", err, text)
		}
		return v
	}
}

// junit reads what the tests of Python say of each.
func junit(text []byte) (verdicts, error) {
	var results struct {
		Suites []struct {
			Cases []struct {
				Name    string    `xml:"name,attr"`
				Error   *struct{} `xml:"error"`
				Failure *struct{} `xml:"failure"`
				Skipped *struct{} `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(text, &results); err != nil {
		return nil, err
	}
	v := verdicts{}
	for _, s := range results.Suites {
		for _, c := range s.Cases {
			switch {
			case c.Error != nil || c.Failure != nil:
				v[c.Name] = failed
			case c.Skipped != nil:
				v[c.Name] = skipped
			default:
				v[c.Name] = passed
			}
		}
	}
	return v, nil
}

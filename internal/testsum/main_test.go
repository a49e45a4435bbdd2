package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSummary(t *testing.T) {
	const events = `{"Action":"start","Package":"m/a"}
{"Action":"run","Package":"m/a","Test":"TestGood"}
{"Action":"output","Package":"m/a","Test":"TestGood","Output":"quiet\n"}
{"Action":"pass","Package":"m/a","Test":"TestGood","Elapsed":0}
{"Action":"output","Package":"m/a","Test":"TestOld","Output":"=== RUN   TestOld\n"}
{"Action":"output","Package":"m/a","Test":"TestOld","Output":"    a_test.go:9: no io_uring in this kernel\n"}
{"Action":"output","Package":"m/a","Test":"TestOld","Output":"--- SKIP: TestOld (0.00s)\n"}
{"Action":"skip","Package":"m/a","Test":"TestOld","Elapsed":0}
{"Action":"output","Package":"m/a","Test":"TestBad/row","Output":"    a_test.go:12: got 1, want 2\n"}
{"Action":"fail","Package":"m/a","Test":"TestBad/row","Elapsed":0}
{"Action":"fail","Package":"m/a","Test":"TestBad","Elapsed":0}
{"Action":"fail","Package":"m/a","Elapsed":1.25}
not an event
{"Action":"skip","Package":"m/none","Elapsed":0}
{"Action":"output","Package":"m/b","Test":"TestExit","Output":"last words\n"}
{"Action":"fail","Package":"m/b","Elapsed":0}
{"ImportPath":"m/c","Action":"build-output","Output":"c.go:3: undefined: x\n"}
{"ImportPath":"m/c","Action":"build-fail"}
{"Action":"fail","Package":"m/c","Elapsed":0,"FailedBuild":"m/c"}
{"Action":"pass","Package":"m/d","Test":"TestD","Elapsed":0}
{"Action":"pass","Package":"m/d","Elapsed":0.5}
`
	const want = `    a_test.go:12: got 1, want 2
FAIL  m/a: 2 of 4 tests, 1.2 s
not an event
last words
FAIL  m/b: 0 of 0 tests, 0.0 s
c.go:3: undefined: x
FAIL  m/c: 0 of 0 tests, 0.0 s
ok    m/d: 1 tests, 0.5 s
skipped: m/a TestOld: a_test.go:9: no io_uring in this kernel
race: 2 passed, 4 failed, 1 skipped
`
	var out bytes.Buffer
	s := newSummary(&out)
	if err := s.read(strings.NewReader(events)); err != nil {
		t.Fatal(err)
	}
	s.close("race: ")
	if got := out.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestStatus(t *testing.T) {
	const head = "package m\n\nimport \"testing\"\n\n"
	for name, c := range map[string]struct {
		test   string
		status int
		last   string
	}{
		"passes":   {head + "func TestA(t *testing.T) {}\n", 0, "1 passed, 0 failed, 0 skipped"},
		"fails":    {head + "func TestA(t *testing.T) { t.Fail() }\n", 1, "0 passed, 1 failed, 0 skipped"},
		"exits":    {head + "func TestA(t *testing.T) { panic(1) }\n", 1, "0 passed, 1 failed, 0 skipped"},
		"no build": {head + "func TestA(t *testing.T) { x }\n", 1, "0 passed, 1 failed, 0 skipped"},
		"no test":  {"package m\n", 1, "0 passed, 0 failed, 0 skipped"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range map[string]string{"go.mod": "module m\n\ngo 1.26\n", "m_test.go": c.test} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			t.Chdir(dir)
			var out, words bytes.Buffer
			if got := run([]string{"./..."}, &out, &words); got != c.status {
				t.Errorf("status: got %d, want %d\n%s%s", got, c.status, &out, &words)
			}
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if got := lines[len(lines)-1]; got != c.last {
				t.Errorf("last line: got %q, want %q\n%s", got, c.last, &out)
			}
		})
	}
}

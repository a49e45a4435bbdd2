package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPitfalls holds the tests to the list of what tracers are known to do to the
// programs that they trace: each of P1 to P27 stands in a comment of the test that
// would find it here.
func TestPitfalls(t *testing.T) {
	rows(t, "P", 27)
}

// TestEvasionRows does the same for the list of how sensors are evaded, E1 to E11.
func TestEvasionRows(t *testing.T) { rows(t, "E", 11) }

// TestFaultRows does the same for the kinds of faults that tracers have: K1 the end of
// the command, K2 attach and detach that a program can see, K3 ends that others hear of
// late, K4 stops taken for those of somebody else, K5 reads and requests that wait for
// another process, K6 numbers that the kernel uses again, and of whose namespace they are.
func TestFaultRows(t *testing.T) { rows(t, "K", 6) }

// rows wants a test for each row of a list, from 1 on.
func rows(t *testing.T, letter string, last int) {
	t.Helper()
	named := map[int]bool{}
	row := regexp.MustCompile(`\b` + letter + `(\d+)\b`)
	for _, dir := range []string{".", "../tracer", "../tracer/doctor", "../tracer/launch", "../tracer/seccomp", "../tracer/cmdline", "../sensor/cmdline",
		"../event", "../shm", "../syscalls", "../sensor/output"} {
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if file == "rows_test.go" {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(text)) {
				_, comment, _ := strings.Cut(line, "//")
				for _, m := range row.FindAllStringSubmatch(comment, -1) {
					n := leading(m[1])
					if n < 1 || n > last {
						t.Errorf("%s: there is no %s", file, m[0])
					}
					named[n] = true
				}
			}
		}
	}
	for n := 1; n <= last; n++ {
		if !named[n] {
			t.Errorf("no test names %s%d", letter, n)
		}
	}
}

// leading is the number that a text begins with, 0 for none.
func leading(text string) (n int) {
	_, _ = fmt.Sscan(text, &n)
	return n
}

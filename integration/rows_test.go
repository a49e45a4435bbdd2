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
	rows(t, "P", 27, map[int]string{
		9: "kernels before 4.8, in which a filter acts before the stop at the entry of a call, are not supported; " +
			"no order is relied on, for the kernel says what each stop is: TestEveryCall runs programs with filters of their own",
	})
}

// TestEvasionRows does the same for the list of how sensors are evaded, E1 to E11.
func TestEvasionRows(t *testing.T) { rows(t, "E", 11, nil) }

// rows wants a test for each row of a list, from 1 on, except for those without one,
// of which is said why.
func rows(t *testing.T, letter string, last int, without map[int]string) {
	t.Helper()
	named := map[int]bool{}
	row := regexp.MustCompile(`\b` + letter + `(\d+)\b`)
	for _, dir := range []string{".", "../tracer", "../tracer/launch", "../tracer/seccomp", "../tracer/cmdline", "../sensor/cmdline",
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
		if !named[n] && without[n] == "" {
			t.Errorf("no test names %s%d", letter, n)
		}
	}
}

// leading is the number that a text begins with, 0 for none.
func leading(text string) (n int) {
	_, _ = fmt.Sscan(text, &n)
	return n
}

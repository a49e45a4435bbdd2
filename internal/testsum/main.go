// Command testsum runs "go test -json" with the arguments that it is given and
// prints what a reader needs: the output of what failed, why something was
// skipped, and how many tests passed, failed and were skipped.
//
// Subtests count as tests of their own. The first argument may be -label=WORD,
// which is then put before the closing line. The exit status is 0 only when go
// test succeeded and at least one test passed.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	label := ""
	if len(args) > 0 {
		if word, ok := strings.CutPrefix(args[0], "-label="); ok {
			label, args = word+": ", args[1:]
		}
	}
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = stderr
	events, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintf(stderr, "testsum: start go test: %v\n", err)
		return 1
	}
	s := newSummary(stdout)
	readErr := s.read(events)
	waitErr := cmd.Wait()
	s.close(label)
	if err := errors.Join(readErr, waitErr); err != nil {
		fmt.Fprintf(stderr, "testsum: go test: %v\n", err)
		return 1
	}
	if s.failed > 0 || s.passed == 0 {
		return 1
	}
	return 0
}

// event is one line of "go test -json", as "go doc test2json" and "go help
// buildjson" describe it.
type event struct {
	Action     string
	Package    string
	ImportPath string // of build-output and build-fail, in place of Package
	Test       string
	Elapsed    float64 // seconds
	Output     string
}

// test names a test, or with an empty name its package.
type test struct{ pkg, name string }

// summary is what has been seen so far.
type summary struct {
	out                     io.Writer
	passed, failed, skipped int
	skips                   []string
	output                  map[test][]string // of what has not ended
	failedIn                map[string]int    // failed tests by package
	ranIn                   map[string]int    // ended tests by package
}

func newSummary(out io.Writer) *summary {
	return &summary{out: out, output: map[test][]string{}, failedIn: map[string]int{}, ranIn: map[string]int{}}
}

// read consumes the events until their end.
func (s *summary) read(r io.Reader) error {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil && e.Action != "" {
				s.add(e)
			} else {
				fmt.Fprintf(s.out, "%s\n", strings.TrimSuffix(string(line), "\n"))
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *summary) add(e event) {
	t := test{e.Package, e.Test}
	switch {
	case e.Action == "build-output":
		fmt.Fprint(s.out, e.Output)
	case e.Action == "output":
		s.output[t] = append(s.output[t], e.Output)
	case e.Test == "":
		s.endPackage(e)
	case e.Action == "pass":
		s.passed++
		s.ranIn[e.Package]++
		delete(s.output, t)
	case e.Action == "skip":
		s.skipped++
		s.ranIn[e.Package]++
		s.skips = append(s.skips, fmt.Sprintf("skipped: %s %s: %s", e.Package, e.Test, reason(s.output[t])))
		delete(s.output, t)
	case e.Action == "fail":
		s.failed++
		s.ranIn[e.Package]++
		s.failedIn[e.Package]++
		s.print(t)
	}
}

// endPackage prints the line of a package. A package that failed without a
// failed test did not build, or ended before its tests did: that counts as one
// failure, and all that it said is shown.
func (s *summary) endPackage(e event) {
	switch e.Action {
	case "pass":
		fmt.Fprintf(s.out, "ok    %s: %d tests, %.1f s\n", e.Package, s.ranIn[e.Package], e.Elapsed)
	case "fail":
		if s.failedIn[e.Package] == 0 {
			s.failed++
		}
		for t := range s.output {
			if t.pkg == e.Package {
				s.print(t)
			}
		}
		fmt.Fprintf(s.out, "FAIL  %s: %d of %d tests, %.1f s\n", e.Package, s.failedIn[e.Package], s.ranIn[e.Package], e.Elapsed)
	}
	delete(s.output, test{pkg: e.Package})
}

// print shows the output of t and forgets it.
func (s *summary) print(t test) {
	for _, line := range s.output[t] {
		fmt.Fprint(s.out, line)
	}
	delete(s.output, t)
}

// reason is what a skipped test printed, without the marks of the test runner.
func reason(output []string) string {
	var words []string
	for _, line := range output {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			words = append(words, line)
		}
	}
	if len(words) == 0 {
		return "no reason given"
	}
	return strings.Join(words, " ")
}

func (s *summary) close(label string) {
	for _, line := range s.skips {
		fmt.Fprintln(s.out, line)
	}
	fmt.Fprintf(s.out, "%s%d passed, %d failed, %d skipped\n", label, s.passed, s.failed, s.skipped)
}

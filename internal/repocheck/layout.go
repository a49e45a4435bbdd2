package repocheck

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ranks gives every package its place: it imports lower ranks only. A name
// that ends in /... stands for all packages below it.
var ranks = map[string]int{
	"internal/abi": 0,
	"internal/cli": 0,
	"internal/sys": 0,

	// Builds while the tables that it writes do not.
	"syscalls/gen": 0,

	"syscalls": 1,

	"event":           2,
	"internal/procfs": 2,

	"internal/testrecord": 3,

	"shm":                3,
	"tracer/seccomp":     3,
	"tracer/launch":      3,
	"sensor/source":      3,
	"kernelsrc":          3,
	"kernelsrc/realtest": 3,

	"tracer":           4,
	"tracer/doctor":    4,
	"kernelsrc/kmod":   4,
	"kernelsrc/ebpf":   4,
	"kernelsrc/driver": 4,
	"sensor/capture":   4,
	"sensor/convert":   4,
	"internal/beside":  4,

	// Makes its records by the encoders of the tracer.
	"kernelsrc/modern": 5,

	// Consumers of the ring that need what the sensor makes of records.
	"shm/falcoplugin": 5,

	"sensor/state":  5,
	"sensor/filter": 5,

	"sensor/fields": 6,

	"sensor/rules":  7,
	"sensor/output": 7,
	"sensor/top":    7,

	"tracer/cmdline": 5,

	"sensor": 8,

	"images/archive":            7,
	"images/falco-trace/verify": 8,

	"sensor/cmdline": 9,

	"shm/falcoplugin/libpdig": 10,

	"cmd/pdig":           10,
	"cmd/sensor":         10,
	"images/...":         10,
	"integration":        10,
	"integration/...":    10,
	"internal/repocheck": 10,
	"internal/testsum":   10,
}

// topLevel is all that the top of the repository holds; bin is what make
// leaves there.
var topLevel = []string{
	".ci", ".git", ".gitignore", "LICENSE", "Makefile", "README.md", "bin",
	"cmd", "docs", "event", "go.mod", "go.sum", "images", "integration",
	"internal", "kernelsrc", "sensor", "shm", "syscalls", "tracer",
}

// longFiles may have more lines than maxLines; each entry says why.
var longFiles = map[string]string{}

const maxLines = 500

func rank(dir string) (int, bool) {
	if n, ok := ranks[dir]; ok {
		return n, true
	}
	for ; dir != "."; dir = path.Dir(dir) {
		if n, ok := ranks[path.Dir(dir)+"/..."]; ok {
			return n, true
		}
	}
	return 0, false
}

func (r *repo) checkTop() {
	for _, entry := range r.top {
		if !slices.Contains(topLevel, entry.Name()) {
			r.report(entry.Name(), 0, "the top level holds only what topLevel in internal/repocheck/layout.go names")
		}
	}
}

// checkImports holds imports to the ranks. The external tests of a package,
// which are of its rank, may import it.
func (r *repo) checkImports() {
	unranked := map[string]bool{}
	for _, f := range r.goFiles() {
		from, ok := rank(f.dir())
		if !ok {
			if !unranked[f.dir()] {
				r.report(f.dir(), 0, "package without a rank: add it to ranks in internal/repocheck/layout.go")
			}
			unranked[f.dir()] = true
			continue
		}
		for _, spec := range f.ast.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				continue // the parser has refused it
			}
			dir, ours := strings.CutPrefix(name, module+"/")
			if !ours || f.test() && dir == f.dir() {
				continue
			}
			if to, ok := rank(dir); ok && to >= from {
				r.reportNode(spec, "%s (rank %d) imports %s (rank %d): only lower ranks may be imported", f.dir(), from, dir, to)
			}
		}
	}
}

// library is the one package with cgo: it is loaded by programs of others, and is no
// part of the binaries.
const library = "shm/falcoplugin/libpdig"

// platform is the end of a file name that selects a system or architecture.
var platform = regexp.MustCompile(`(_linux)?(_(amd64|arm64|386|arm))?(_test)?\.go$`)

func (r *repo) checkUnsafe() {
	for _, f := range r.goFiles() {
		fenced := strings.HasSuffix(platform.ReplaceAllString(f.base(), ""), "_unsafe") || f.generated()
		for _, spec := range f.ast.Imports {
			switch {
			case spec.Path.Value == `"unsafe"` && !fenced:
				r.reportNode(spec, "unsafe is imported by files named *_unsafe.go only")
			case spec.Path.Value == `"C"` && f.dir() != library:
				r.reportNode(spec, "cgo: the binaries are static and built without a C compiler")
			}
		}
	}
}

var generatedLine = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

// generated tells whether a file says so in its first line, as it must.
func (f *file) generated() bool {
	at := generatedLine.FindIndex(f.text)
	return at != nil && at[0] == 0
}

func (r *repo) checkGenerated() {
	for _, f := range r.goFiles() {
		z := strings.HasPrefix(f.base(), "z")
		switch {
		case z && !f.generated():
			r.report(f.path, 1, "the first line of a file named z* is // Code generated ... DO NOT EDIT.")
		case !z && generatedLine.Match(f.text):
			r.report(f.path, 0, "the name of a generated file begins with z")
		}
	}
}

func (r *repo) checkLength() {
	for _, f := range r.goFiles() {
		if f.test() || f.generated() {
			continue
		}
		long := bytes.Count(f.text, []byte("\n")) > maxLines
		_, allowed := r.long[f.path]
		switch {
		case long && !allowed:
			r.report(f.path, 0, "more than %d lines: a file holds one idea", maxLines)
		case !long && allowed:
			r.report(f.path, 0, "no more than %d lines: take it out of longFiles", maxLines)
		}
	}
}

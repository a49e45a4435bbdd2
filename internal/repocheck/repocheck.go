// Package repocheck holds the rules of this repository that a program can
// watch: who may import whom, where unsafe may stand, what has to be
// documented, what the top level holds. Its test applies them to the tree.
//
// The rules read source text only and know no types, so those about errors go
// by names: a variable err, a field Err, a sentinel ErrX or io.EOF.
package repocheck

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// module is the path that imports within the repository begin with.
const module = "github.com/pdig/pdig"

// file is one text file of the repository.
type file struct {
	path string // slash-separated, from the top of the repository
	text []byte
	ast  *ast.File // of a Go file outside of testdata, else nil
}

func (f *file) dir() string  { return path.Dir(f.path) }
func (f *file) test() bool   { return strings.HasSuffix(f.path, "_test.go") }
func (f *file) base() string { return path.Base(f.path) }

// repo is what the rules look at.
type repo struct {
	top      []fs.DirEntry
	files    []*file
	fset     *token.FileSet
	words    []string          // that no file may contain
	long     map[string]string // files that may be long, and why
	problems []string
}

// Check applies all rules to the tree and returns what they found, one line
// each with its position. No file may contain one of the words, which are
// those that only the caller knows: the paths of the machine it runs on.
func Check(tree fs.FS, words []string) ([]string, error) {
	r := repo{fset: token.NewFileSet(), words: words, long: longFiles}
	if err := r.load(tree); err != nil {
		return nil, err
	}
	r.checkTop()
	r.checkImports()
	r.checkUnsafe()
	r.checkGenerated()
	r.checkLength()
	r.checkDocs()
	r.checkErrors()
	r.checkText()
	slices.Sort(r.problems)
	return r.problems, nil
}

// load reads all text files, and parses those in Go.
func (r *repo) load(tree fs.FS) error {
	var err error
	if r.top, err = fs.ReadDir(tree, "."); err != nil {
		return fmt.Errorf("repocheck: top level: %w", err)
	}
	return fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name == ".git" || name == "bin" {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		if bytes.IndexByte(text, 0) >= 0 {
			return nil // a binary
		}
		f := &file{path: name, text: text}
		if strings.HasSuffix(name, ".go") && !slices.Contains(strings.Split(name, "/"), "testdata") {
			f.ast, err = parser.ParseFile(r.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return fmt.Errorf("repocheck: parse: %w", err)
			}
		}
		r.files = append(r.files, f)
		return nil
	})
}

// goFiles are the files that the compiler sees.
func (r *repo) goFiles() []*file {
	var out []*file
	for _, f := range r.files {
		if f.ast != nil {
			out = append(out, f)
		}
	}
	return out
}

// report notes a problem of a line; line 0 stands for the whole of it.
func (r *repo) report(where string, line int, format string, args ...any) {
	if line > 0 {
		where = fmt.Sprintf("%s:%d", where, line)
	}
	r.problems = append(r.problems, where+": "+fmt.Sprintf(format, args...))
}

func (r *repo) reportNode(n ast.Node, format string, args ...any) {
	p := r.fset.Position(n.Pos())
	r.report(p.Filename, p.Line, format, args...)
}

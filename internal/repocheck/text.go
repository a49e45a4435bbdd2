package repocheck

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"
)

// unfinished are the marks of work that someone meant to do later.
var unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)

// sources are the names of files in which such a mark means what it says.
func source(name string) bool {
	return slices.Contains([]string{".go", ".c", ".h", ".s", ".S", ".sh", ".md"}, path.Ext(name)) ||
		name == "Makefile" || strings.HasPrefix(name, ".ci/")
}

// checkText looks at every line of every text file.
func (r *repo) checkText() {
	for _, f := range r.files {
		line := 0
		for text := range bytes.Lines(f.text) {
			line++
			for _, word := range r.words {
				if bytes.Contains(text, []byte(word)) {
					r.report(f.path, line, "%q belongs to one machine", word)
				}
			}
			if source(f.path) && unfinished.Match(text) {
				r.report(f.path, line, "a mark of unfinished work")
			}
		}
	}
}

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// licenceDir is where the image has the licences, one directory for each module.
const licenceDir = "usr/share/licenses"

// licenceFile is what files with the terms of a licence are called.
var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)(\..*)?$`)

// copyLicences puts there those of all that is in the program: of this module, of Go, and
// of each module that it imports, with those beside its packages, where some have copied
// ones.
func copyLicences(arch, to string) error {
	list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}\t{{.Dir}}\t{{$.Dir}}{{end}}", "github.com/pdig/pdig/images/falco-trace")
	list.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0")
	packages, err := list.Output()
	if err != nil {
		return fmt.Errorf("go list: %w", err)
	}
	goRoot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("go env: %w", err)
	}
	root := strings.TrimSpace(string(goRoot))
	found := map[string]int{}
	if found["go"], err = copyFrom(root, root, filepath.Join(to, "go")); err != nil {
		return err
	}
	for line := range strings.Lines(string(packages)) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if len(fields) != 3 {
			continue // of the standard library
		}
		module, top := fields[0], fields[1]
		for dir := fields[2]; ; dir = filepath.Dir(dir) {
			n, err := copyFrom(top, dir, filepath.Join(to, module))
			if err != nil {
				return err
			}
			found[module] += n
			if dir == top {
				break
			}
		}
	}
	for module, n := range found {
		if n == 0 {
			return fmt.Errorf("no licence is found for %s", module)
		}
	}
	return nil
}

// copyFrom copies the licences that a directory of a module has itself, and counts them.
func copyFrom(top, dir, to string) (int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	below, err := filepath.Rel(top, dir)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, entry := range entries {
		if !entry.Type().IsRegular() || !licenceFile.MatchString(entry.Name()) {
			continue
		}
		n++
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err == nil {
			err = os.MkdirAll(filepath.Join(to, below), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, below, entry.Name()), text, 0o644)
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

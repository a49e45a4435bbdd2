package verify

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/pdig/pdig/images/archive"
)

// find looks a program up as execvp does, in the PATH of the image.
func (j *judge) find(program string) (f archive.File, dirs []archive.File, err error) {
	c := j.image.Config.Config
	if strings.Contains(program, "/") {
		if !path.IsAbs(program) {
			program = path.Join("/", c.WorkingDir, program)
		}
		return j.tree.Find(program)
	}
	searched, ok := j.variable("PATH")
	if !ok {
		searched = defaultPath
	}
	for dir := range strings.SplitSeq(searched, ":") {
		if !path.IsAbs(dir) {
			dir = path.Join("/", c.WorkingDir, dir)
		}
		if f, dirs, err := j.tree.Find(path.Join(dir, program)); err == nil && !f.Mode.IsDir() {
			return f, dirs, nil
		}
	}
	return f, dirs, fs.ErrNotExist
}

// defaultPath is what runtimes set where an image has none.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// program tells whether the container can execute a file of the image, and reports
// why not; absent is how bad it is that there is none.
func (j *judge) program(name string, absent verdict) (f archive.File, dirs []archive.File, ok bool) {
	f, dirs, err := j.find(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		j.missing(name, absent)
	case err != nil:
		j.report(problem, "COPY it anew", "%q cannot be executed: %v", name, err)
	case !f.Mode.IsRegular():
		j.report(problem, "COPY the program itself", "%q is not a file that can be executed: it has the mode %v", name, f.Mode)
	case !j.user.mayExecute(f):
		j.report(problem, fmt.Sprintf("RUN chmod 755 /%s, or COPY --chmod=755", harmless(f.Path)), "/%s may not be executed by %v: its mode is %v, its owner %d:%d", f.Path, j.user, f.Mode, f.UID, f.GID)
	default:
		for _, dir := range dirs {
			if !j.user.mayExecute(dir) {
				j.report(problem, fmt.Sprintf("RUN chmod 755 /%s", harmless(dir.Path)), "%v may not enter the directory /%s, where /%s is: its mode is %v, its owner %d:%d", j.user, dir.Path, f.Path, dir.Mode, dir.UID, dir.GID)
				return f, dirs, false
			}
		}
		return f, dirs, j.machine(f)
	}
	return f, dirs, false
}

// missing says where a program has gone.
func (j *judge) missing(name string, severity verdict) {
	remedy, where, then := "COPY --from=falco-trace / /", j.places(), ""
	switch {
	case path.Base(name) != tracer:
		remedy = "COPY it, or write its path"
		then = ": the container ends with status 127, unless a volume brings it"
	case len(where) > 0:
		remedy = "write /" + harmless(where[0]) + ", which is there"
	}
	full := name
	switch {
	case name == tracer:
		full = home
	case !path.IsAbs(name):
		full = path.Join("/", j.image.Config.Config.WorkingDir, name)
	}
	if layer, ok := j.tree.Removed(full); ok {
		j.report(severity, "leave it there, or COPY it behind that", "%q is not in the image any more: layer %d has removed it%s", name, layer+1, j.madeBy(layer))
		return
	}
	j.report(severity, remedy, "%q is not in the image%s", name, then)
}

// madeBy names the instruction that has made a layer.
func (j *judge) madeBy(layer int) string {
	for _, h := range j.image.Config.History {
		if h.EmptyLayer {
			continue
		}
		if layer == 0 && h.CreatedBy != "" {
			return fmt.Sprintf(" (%q)", h.CreatedBy)
		}
		layer--
	}
	return ""
}

// machine tells whether an ELF file is for the architecture of the image.
func (j *judge) machine(f archive.File) bool {
	if len(f.Head) < elfMachine+2 || string(f.Head[:len(elf.ELFMAG)]) != elf.ELFMAG {
		return true
	}
	arch := j.image.Config.Architecture
	got := elf.Machine(binary.LittleEndian.Uint16(f.Head[elfMachine:]))
	if got == machines[arch] {
		return true
	}
	if got == elf.EM_386 && arch == "amd64" || got == elf.EM_ARM && arch == "arm64" {
		return true
	}
	j.report(problem, fmt.Sprintf("COPY --from the image of linux/%s (build with --platform linux/%s)", arch, arch),
		"/%s is for %v, the image for %s", f.Path, got, arch)
	return false
}

// elfMachine is the offset of e_machine in an ELF header of either class.
const elfMachine = 18

// binary looks at falco-trace itself.
func (j *judge) binary(f archive.File, dirs []archive.File) {
	switch {
	case !strings.HasPrefix(string(f.Head), elf.ELFMAG):
		j.report(problem, "COPY --from=falco-trace / /", "/%s is no program: it is no ELF file", f.Path)
	case !everybody(f, dirs):
		j.report(warning, fmt.Sprintf("RUN chmod 755 /%s, and the directories above", harmless(f.Path)),
			"not everybody may execute /%s: another user (docker run --user, OpenShift) cannot start the image", f.Path)
	}
}

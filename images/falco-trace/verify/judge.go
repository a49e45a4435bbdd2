package verify

import (
	"debug/elf"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/pdig/pdig/images/archive"
)

// verdict is the worst of what was found.
type verdict int

const (
	note    verdict = iota // the tracer runs; good to know
	warning                // it runs, but not all is as it should be
	unknown                // cannot be told
	problem                // it does not run
)

func (v verdict) String() string {
	return [...]string{"note", "warning", "unknown", "problem"}[v]
}

// finding is something that was found, and what helps.
type finding struct {
	verdict verdict
	what    string
	remedy  string
}

// judge is what is known of one image.
type judge struct {
	image    *archive.Image
	read     Reader
	tree     *archive.Tree
	user     user
	silent   bool // no sensor in the container shows events
	findings []finding
}

func (j *judge) report(v verdict, remedy, format string, args ...any) {
	j.findings = append(j.findings, finding{v, fmt.Sprintf(format, args...), remedy})
}

func (j *judge) verdict() verdict {
	worst := note
	for _, f := range j.findings {
		worst = max(worst, f.verdict)
	}
	return worst
}

// wanted are the files that are looked at: those with the name of a program that an
// image starts, and those of users.
func wanted(images []*archive.Image) func(name string) bool {
	names := []string{tracer}
	for _, img := range images {
		c := img.Config.Config
		argv := slices.Concat(c.Entrypoint, c.Cmd)
		names = append(names, programs(argv)...)
		if text, ok := shellTextOf(argv); ok {
			words, _ := inShell(text)
			names = append(names, programs(words)...)
		}
	}
	return func(name string) bool {
		return name == passwdFile || name == groupFile || slices.Contains(names, path.Base(name))
	}
}

// programs are the names that a command line may start.
func programs(argv []string) []string {
	if len(argv) == 0 {
		return nil
	}
	names := []string{path.Base(argv[0])}
	if s, ok := findStart(argv); ok {
		if _, command := s.role(); len(command) > 0 {
			names = append(names, path.Base(command[0]))
		}
	}
	return names
}

func shellTextOf(argv []string) (string, bool) {
	if len(argv) == 0 {
		return "", false
	}
	return shellText(argv)
}

// examine judges one image.
func examine(a *archive.Archive, img *archive.Image, want func(string) bool, read Reader) *judge {
	j := &judge{image: img, read: read}
	if img.Err != nil {
		j.report(unknown, "save the image again", "the image cannot be examined: %v", img.Err)
		return j
	}
	if !j.platform() {
		return j
	}
	var err error
	if j.tree, err = a.Files(img, want); err != nil {
		j.report(unknown, "save the image again", "the layers cannot be examined: %v", err)
		return j
	}
	if j.user, err = findUser(j.tree, img.Config.Config.User); err != nil {
		j.report(problem, "RUN useradd, or USER with a number", "%v", err)
		return j
	}
	j.command()
	j.notes()
	return j
}

// platform tells whether falco-trace exists for that of the image.
func (j *judge) platform() bool {
	p := j.image.Config.Platform
	if p.OS == "linux" && machines[p.Architecture] != 0 {
		return true
	}
	j.report(problem, "build it with --platform linux/amd64 or linux/arm64", "there is no falco-trace for %q on %q", p.OS, p.Architecture)
	return false
}

var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// command judges what the container starts.
func (j *judge) command() {
	c := j.image.Config.Config
	argv := slices.Concat(c.Entrypoint, c.Cmd)
	s, ok := findStart(argv)
	switch {
	case len(argv) == 0:
		j.report(problem, j.ownEntrypoint(nil), "the image says nothing of what it starts: it has neither ENTRYPOINT nor CMD")
		return
	case !ok:
		j.lost(argv)
		return
	case s.unsure:
		j.report(unknown, j.ownEntrypoint(append([]string{s.through}, s.command()...)), "%q is started: whether it executes its argument %q cannot be told", s.through, s.program)
	}
	if s.through != "" {
		j.program(s.through, problem)
	}
	switch {
	case s.shell != "":
		j.shellForm(s)
	case len(c.Entrypoint) == 0:
		j.report(warning, "ENTRYPOINT "+list(argv[:len(argv)-len(s.command())])+" and CMD "+list(s.command()),
			"the tracer stands in CMD: docker run IMAGE COMMAND, and args in Kubernetes, start something else without it")
	}
	if f, dirs, ok := j.program(s.program, problem); ok {
		j.binary(f, dirs)
	}
	j.role(s)
}

// command is that of the role run, if it is known.
func (s start) command() []string {
	_, command := s.role()
	return command
}

// role judges what falco-trace is told to do.
func (j *judge) role(s start) {
	name, command := s.role()
	switch name {
	case "run":
	case "attach", "sensor":
		j.report(note, "", "it watches other containers: a sidecar; nothing is traced in this one")
		return
	case "":
		j.report(problem, "ENTRYPOINT "+list([]string{s.program, "run", "--"}), "%s is not told what to do", tracer)
		return
	default:
		j.report(problem, "ENTRYPOINT "+list([]string{s.program, "run", "--"}), "%s %q traces nothing", tracer, name)
		return
	}
	if s.shell == "" { // whose words are not known for sure
		var err error
		if command, err = j.read(s.args[1:], j.variable); err != nil {
			what, _, _ := strings.Cut(err.Error(), "\n")
			j.report(problem, "mend that option or variable, or leave it out", "%s ends with status 125: %s", tracer, what)
			return
		}
	}
	j.silent = !j.showsEvents(s)
	switch {
	case command == nil: // not known
	case len(command) == 0:
		j.report(problem, `CMD ["program", "argument"]`, "there is no command behind run --")
	case !strings.HasPrefix(command[0], "$"):
		j.program(command[0], warning)
	}
}

// showsEvents tells whether there is a sensor in the container.
func (j *judge) showsEvents(s start) bool {
	own := s.args[:len(s.args)-len(s.command())]
	return slices.ContainsFunc(own, func(word string) bool {
		return strings.HasPrefix(word, "-o") || strings.HasPrefix(word, "--output") || strings.HasPrefix(word, "-w") || strings.HasPrefix(word, "--write")
	}) || slices.ContainsFunc([]string{"FALCO_TRACE_OUTPUT", "FALCO_TRACE_WRITE"}, func(name string) bool {
		value, _ := j.variable(name)
		return value != "" // an empty one is none
	})
}

// variable is one that the image sets.
func (j *judge) variable(name string) (value string, ok bool) {
	for _, e := range slices.Backward(j.image.Config.Config.Env) {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// lost is an image that starts something without the tracer.
func (j *judge) lost(argv []string) {
	c := j.image.Config.Config
	remedy := j.ownEntrypoint(argv)
	if text, ok := shellText(argv); ok && strings.Contains(text, tracer) {
		j.report(unknown, remedy, "the shell is told %q: whether that starts %s cannot be told", text, tracer)
		return
	}
	if i := slices.IndexFunc(argv[1:], func(word string) bool { return strings.Contains(word, tracer+" ") }); i >= 0 {
		j.report(unknown, `ENTRYPOINT ["/`+home+`", "run", "--"] in front, and leave it out of the argument`, "%q is started with the argument %q: whether that starts %s cannot be told", argv[0], argv[1+i], tracer)
		return
	}
	if f, _, err := j.find(argv[0]); err == nil && strings.HasPrefix(string(f.Head), "#!") && strings.Contains(string(f.Head), tracer) {
		j.report(unknown, remedy, "/%s is a script that names %s: whether it starts it cannot be told", f.Path, tracer)
		return
	}
	where := j.places()
	switch {
	case len(where) == 0:
		j.report(problem, "COPY --from=falco-trace / /\n"+remedy, "%s is not in the image, and %s starts without it", tracer, list(argv))
	case len(c.Entrypoint) > 0:
		j.report(problem, remedy, "the ENTRYPOINT of the base image is lost: the image has its own, %s, which starts without the tracer", list(c.Entrypoint))
	default:
		j.report(problem, remedy, "no ENTRYPOINT starts the tracer, only CMD is there: %s", list(c.Cmd))
	}
}

// places are where the image has falco-trace.
func (j *judge) places() []string {
	return slices.DeleteFunc(j.tree.Wanted(), func(name string) bool { return path.Base(name) != tracer })
}

// home is where images have falco-trace.
const home = "usr/bin/" + tracer

// ownEntrypoint is the line that wraps a command line.
func (j *judge) ownEntrypoint(argv []string) string {
	program := home
	if where := j.places(); len(where) > 0 && !slices.Contains(where, home) {
		program = where[0]
	}
	return "ENTRYPOINT " + list(append([]string{"/" + program, "run", "--"}, argv...))
}

// shellForm is an ENTRYPOINT or CMD without brackets.
func (j *judge) shellForm(s start) {
	c := j.image.Config.Config
	instruction, ignored := "CMD", ""
	if len(c.Entrypoint) > 0 {
		instruction = "ENTRYPOINT"
		if _, inEntrypoint := shellTextOf(c.Entrypoint); inEntrypoint && len(c.Cmd) > 0 {
			ignored = fmt.Sprintf(", and CMD %s is not appended to it", list(c.Cmd))
		}
	}
	j.report(warning, instruction+" "+list(s.brackets()),
		"%s is in shell form: %q starts the tracer, so signals such as that of docker stop may end there%s", instruction, s.through, ignored)
}

// notes are what whoever runs the image should know.
func (j *judge) notes() {
	if j.verdict() >= unknown {
		return
	}
	if j.silent {
		j.report(note, "", "its events are for a sensor of another container: neither FALCO_TRACE_OUTPUT nor run -o says where to show them")
	}
	if j.user.uid == 0 {
		j.report(note, "", "it starts as root: without SYS_PTRACE less can be read of a command that changes its user (nginx, gosu)")
	}
	if h := j.image.Config.Docker.Healthcheck; h != nil && len(h.Test) > 0 && h.Test[0] != "NONE" {
		j.report(note, "", "HEALTHCHECK is not a child of the command: it is seen as what docker exec starts is")
	}
}

package integration

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// sensed has the sensor print fields of the events of a command that a filter lets
// pass, and returns what the command and the sensor have printed.
func sensed(t *testing.T, dir, format, filter string, argv ...string) (said string, lines []string) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "events")
	args := append([]string{"-A", "-o", out, "-p", format, filter, "--"}, argv...)
	cmd := exec.Command(sensorPath, args...)
	cmd.Dir = dir
	r := start(t, cmd).wait(t)
	if r.status != 0 || !strings.Contains(r.stderr, " delivered, 0 lost") {
		t.Fatalf("got %s", r)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return r.stdout, strings.Split(strings.TrimSpace(string(text)), "\n")
}

// TestExecutedFile: whatever a program is called when it is executed (E3, E7), the
// event tells which file that is.
func TestExecutedFile(t *testing.T) {
	t.Parallel()
	program := fixture(t, "programs")
	for _, c := range []struct{ way, asked, path, exe, memfd string }{
		{"path", "program", "DIR/program", "named", "false"},
		{"memfd", "/dev/fd/3", "/memfd:program (deleted)", "named", "true"},
		{"procfd", "/proc/self/fd/3", "/memfd:program (deleted)", "named", "true"},
		{"empty", "/dev/fd/3", "DIR/program", "named", "false"},
		{"opath", "/dev/fd/3", "DIR/program", "named", "false"},
		{"at", "/dev/fd/3/../program", "DIR/program", "named", "false"},
		{"link", "harmless", "DIR/program", "named", "false"},
		{"linked directory", "shallow/../program", "DIR/directory/program", "named", "false"},
		{"hard link", "harmless", "DIR/harmless", "named", "false"},
		{"deleted", "/dev/fd/3", "DIR/program (deleted)", "named", "false"},
		{"root", "/proc/self/rootDIR/program", "DIR/program", "named", "false"},
		{"script", "script", "DIR/program", "program", "false"},
	} {
		t.Run(c.way, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			const format = "%proc.pid %proc.exe_ino asked %evt.rawarg.filename is %proc.exepath as %proc.exe memfd %proc.is_exe_from_memfd"
			said, lines := sensed(t, dir, format, "evt.type in (execve, execveat) and evt.dir = < and evt.rawres = 0", program, c.way)
			pid, inode, _ := strings.Cut(strings.TrimSpace(said), " ")
			want := fmt.Sprintf("%s %s asked %s is %s as %s memfd %s", pid, inode, c.asked, c.path, c.exe, c.memfd)
			want = strings.ReplaceAll(want, "DIR", dir)
			if got := lines[len(lines)-1]; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// TestExecutedFileRace: two files change places under the name that is executed (E1).
func TestExecutedFileRace(t *testing.T) {
	t.Parallel()
	const rounds = 200
	said, lines := sensed(t, t.TempDir(), "%proc.pid %proc.exe_ino", "evt.type = execve and evt.dir = < and evt.rawres = 0 and proc.args = done",
		fixture(t, "programs"), "race", fmt.Sprint(rounds))
	files := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(said), "\n") {
		_, inode, _ := strings.Cut(line, " ")
		files[inode] = true
	}
	if got := strings.Join(lines, "\n") + "\n"; got != said || len(lines) != rounds {
		t.Errorf("%d events, got %s, want %s", len(lines), got, said)
	}
	if len(files) != 2 {
		t.Errorf("%d files were executed", len(files))
	}
}

// TestCheckedExec: a program that only asks whether it could execute a file (Linux 6.14)
// is still what it was, with all its descriptors.
func TestCheckedExec(t *testing.T) {
	t.Parallel()
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "events")
	cmd := exec.Command(sensorPath, "-A", "-o", out, "-p", "*%evt.type %evt.dir %evt.rawres %truth.mismatch",
		"evt.dir = < and (evt.type in (execve, execveat) or evt.arg.ID = execveat)", "--", fixture(t, "programs"), "check")
	cmd.Dir = dir
	r := start(t, cmd).wait(t)
	switch {
	case r.status.ExitStatus() == 77:
		t.Skip("the kernel has no AT_EXECVE_CHECK (Linux 6.14)")
	case r.status != 0:
		t.Fatalf("got %s", r)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	// Of the checks there are generic events, which have no result.
	const want = "execve < 0 <NA>\n" + "execveat < <NA> <NA>\n" + "execveat < <NA> <NA>\n"
	if got := string(text); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestExecutedFileMarked: however the name is written, or where it begins, of which the
// file has changed, that is a mismatch.
func TestExecutedFileMarked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, argv := range [][]string{
		{"race", "100", "program"},
		{"race", "100", "/dev/fd/../cwd/program"},
		{"race from a descriptor", "100"},
	} {
		marked := false
		for n := 0; n < 50 && !marked; n++ { // on a machine that does one thing at a time it may take long
			_, lines := sensed(t, dir, "*%truth.mismatch", "evt.type in (execve, execveat) and evt.dir = < and evt.rawres = 0 and proc.args = done",
				append([]string{fixture(t, "programs")}, argv...)...)
			marked = slices.Contains(lines, "object")
		}
		if !marked {
			t.Errorf("%q: no exec is marked", argv)
		}
	}
}

// loaderOf is the loader that a program names.
func loaderOf(t *testing.T, program string) string {
	t.Helper()
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	section := f.Section(".interp")
	if section == nil {
		t.Skipf("needs a program with a dynamic loader, which %s has not", program)
	}
	name, err := section.Data()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimRight(string(name), "\x00")
}

// TestLoaderAsProgram: who has the dynamic loader run a program executes the loader,
// and the program is a file that this opens and maps (E7).
func TestLoaderAsProgram(t *testing.T) {
	t.Parallel()
	target := needProgram(t, "true")
	asked := loaderOf(t, target)
	loader, err := filepath.EvalSymlinks(asked)
	if err != nil {
		t.Fatal(err)
	}
	_, lines := sensed(t, t.TempDir(), "*%evt.type %proc.exepath %fd.name%evt.arg.args %evt.arg.prot %evt.arg.fd", "evt.type in (execve, openat, open, mmap) and evt.dir = < or evt.type = mmap and evt.dir = >", asked, target)
	text := strings.Join(lines, "\n")
	for _, want := range []string{
		"execve " + loader + " <NA>" + target + ". ",
		"openat " + loader + " " + target,
		"mmap " + loader + ` \S+ \S*PROT_EXEC\S* <f>` + target,
	} {
		if !regexp.MustCompile(`(?m)^` + strings.ReplaceAll(want, ". ", `\. `)).MatchString(text) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

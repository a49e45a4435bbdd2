package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/syscalls"
)

// Flags of an executed file (PPM_EXE_*).
const (
	exeWritable = 1
	exeUpper    = 2
	exeLower    = 8
)

// overlayMounts makes an overlay file system below directory $1, in a mount namespace
// of its own, with copies of cp. Its root has to be younger than the files of the lower layer.
const overlayMounts = `
set -e
mount -t tmpfs none "$1"
cd "$1"
mkdir lower 'the view' work
for f in plain changed; do cp /proc/self/exe lower/$f; done
mkdir lower/sub
cp /proc/self/exe lower/sub/deep
sleep 0.1
mkdir 'upper dir'
mount -t overlay none -o 'lowerdir=lower,upperdir='"$1"'/upper dir,workdir=work' 'the view'
shift
`

// overlayPrograms executes files of it, each twice, and of mounts that show less.
const overlayPrograms = `
set -e
cd "$1"
cp lower/plain 'the view/new'
chmod 711 'the view/changed'
mkdir part reader
mount --bind 'the view/sub' part
mount -t overlay none -o lowerdir=lower:part reader
for f in 'the view/plain' 'the view/changed' 'the view/new' part/deep reader/changed lower/plain; do
	"$1/$f" --version >/dev/null 2>&1 || true
	"$1/$f" --version >/dev/null 2>&1 || true
done
`

// TestLayers: of an executed file it is told in which layer of an overlay file
// system it is, if the tracer can know that.
func TestLayers(t *testing.T) {
	unshare := []string{"unshare", "--mount"}
	if os.Getuid() != 0 {
		unshare = append(unshare, "--user", "--map-root-user")
	}
	needProgram(t, unshare[0])
	probe := exec.Command(unshare[0], append(slices.Clone(unshare[1:]), "sh", "-c", overlayMounts, "sh", t.TempDir())...)
	if out, err := probe.CombinedOutput(); err != nil {
		t.Skipf("no overlay file system to be had (CAP_SYS_ADMIN, CONFIG_OVERLAY_FS): %v\n%s", err, out)
	}
	unseenUpper := uint64(exeUpper)
	if !tellsHandles() {
		unseenUpper = 0
	}
	for _, tt := range []struct {
		name string
		seen bool // the upper directory, by the tracer
		want map[string]uint64
	}{
		{"inside", true, map[string]uint64{
			"the view/plain": exeWritable | exeLower, "the view/changed": exeWritable | exeUpper, "the view/new": exeWritable | exeUpper,
			"part/deep": exeWritable, "reader/changed": exeLower, "lower/plain": exeWritable,
		}},
		{"outside", false, map[string]uint64{
			"the view/plain": exeWritable | exeLower, "the view/changed": exeWritable, "the view/new": exeWritable | unseenUpper,
			"part/deep": exeWritable, "reader/changed": exeLower, "lower/plain": exeWritable,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			inside := slices.Concat(unshare, []string{"sh", "-c", overlayMounts + `exec "$@"`, "sh", dir})
			programs := []string{"sh", "-c", overlayPrograms, "sh", dir}
			var records [][]byte
			if tt.seen {
				_, records = traceAs(t, inside, slices.Concat([]string{"--"}, programs)...)
			} else {
				_, records = traceInto(t, slices.Concat([]string{"--"}, inside, programs)...)
			}
			got := executed(t, dir, records)
			for file, flags := range tt.want {
				if want := []string{fmt.Sprint(flags), fmt.Sprint(flags)}; !slices.Equal(got[file], want) {
					t.Errorf("%s: flags %q, want %q", file, got[file], want)
				}
			}
		})
	}
}

// tellsHandles reports whether the kernel gives handles that are only for comparing
// (AT_HANDLE_FID, Linux 6.5), in which the upper layer shows.
func tellsHandles() bool {
	var h sys.Handle
	return h.Get([]byte("/\x00")) != unix.EINVAL
}

// executed are the flags of the files below a directory that were executed.
func executed(t *testing.T, dir string, records [][]byte) map[string][]string {
	t.Helper()
	flags := map[string][]string{}
	eachExec(t, records, func(exe string, v *event.View) {
		if file, ok := strings.CutPrefix(path.Clean(exe), dir+"/"); ok {
			flags[file] = append(flags[file], paramValue(v, "flags"))
		}
	})
	return flags
}

// eachExec calls f with each end of an exec, and the program's own name for itself.
func eachExec(t *testing.T, records [][]byte, f func(exe string, v *event.View)) {
	t.Helper()
	for i, rec := range records {
		var v event.View
		if err := v.Parse(rec); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
		if v.Type() == syscalls.ExecveX {
			f(strings.TrimSuffix(string(v.Param(1)), "\x00"), &v)
		}
	}
}

// paramValue is the parameter of that name, as describe has it.
func paramValue(v *event.View, name string) string {
	for i, p := range v.Info().Params {
		if p.Name == name && i < v.NumParams() {
			return value(p.Type, v.Param(i))
		}
	}
	return ""
}

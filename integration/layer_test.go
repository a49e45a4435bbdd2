package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/syscalls"
)

// Flags of an executed file (PPM_EXE_*), of an open and of a creat.
const (
	exeWritable = 1
	exeUpper    = 2
	exeLower    = 8

	fdUpper    = 0x8000
	fdLower    = 0x10000
	creatUpper = 1
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

// overlayViews changes it, and mounts what shows less.
const overlayViews = `
set -e
cd "$1"
cp lower/plain 'the view/new'
chmod 711 'the view/changed'
mkdir part reader
mount --bind 'the view/sub' part
mount -t overlay none -o lowerdir=lower:part reader
`

// overlayPrograms executes files of all these, each twice.
const overlayPrograms = overlayViews + `
for f in 'the view/plain' 'the view/changed' 'the view/new' part/deep reader/changed lower/plain; do
	"$1/$f" --version >/dev/null 2>&1 || true
	"$1/$f" --version >/dev/null 2>&1 || true
done
`

// overlayOpens has $2 open files of them: first to be read, then to be changed.
const overlayOpens = overlayViews + `
"$2" r "$1/the view/plain" "$1/the view/changed" "$1/the view/new" "$1/part/deep" "$1/reader/changed" "$1/lower/plain"
"$2" w "$1/the view/changed" "$1/the view/plain" "$1/lower/plain"
"$2" c "$1/the view/made" "$1/lower/made"
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
	unseenUpper, unseenFD := uint64(exeUpper), uint64(fdUpper)
	if !tellsHandles() {
		unseenUpper, unseenFD = 0, 0
	}
	made := uint64(creatUpper)
	if runtime.GOARCH == "arm64" {
		made = fdUpper // there creat is an openat
	}
	opener := fixture(t, "layers")
	for _, tt := range []struct {
		name string
		seen bool // the upper directory, by the tracer
		want map[string]uint64
		open map[string][]uint64 // what was read and what was changed
	}{
		{"inside", true, map[string]uint64{
			"the view/plain": exeWritable | exeLower, "the view/changed": exeWritable | exeUpper, "the view/new": exeWritable | exeUpper,
			"part/deep": exeWritable, "reader/changed": exeLower, "lower/plain": exeWritable,
		}, map[string][]uint64{
			"the view/plain": {fdLower, fdUpper}, "the view/changed": {fdUpper, fdUpper}, "the view/new": {fdUpper}, "part/deep": {0},
			"reader/changed": {fdLower}, "lower/plain": {0, 0}, "the view/made": {made}, "lower/made": {0},
		}},
		{"outside", false, map[string]uint64{
			"the view/plain": exeWritable | exeLower, "the view/changed": exeWritable, "the view/new": exeWritable | unseenUpper,
			"part/deep": exeWritable, "reader/changed": exeLower, "lower/plain": exeWritable,
		}, map[string][]uint64{
			"the view/plain": {fdLower, fdUpper}, "the view/changed": {0, fdUpper}, "the view/new": {unseenFD}, "part/deep": {0},
			"reader/changed": {fdLower}, "lower/plain": {0, 0}, "the view/made": {made}, "lower/made": {0},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			run := func(dir, script string) [][]byte {
				inside := slices.Concat(unshare, []string{"sh", "-c", overlayMounts + `exec "$@"`, "sh", dir})
				programs := []string{"sh", "-c", script, "sh", dir, opener}
				if tt.seen {
					_, records := traceAs(t, inside, slices.Concat([]string{"--"}, programs)...)
					return records
				}
				_, records := traceInto(t, slices.Concat([]string{"--"}, inside, programs)...)
				return records
			}
			dir := t.TempDir()
			got := executed(t, dir, run(dir, overlayPrograms))
			for file, flags := range tt.want {
				if want := []string{fmt.Sprint(flags), fmt.Sprint(flags)}; !slices.Equal(got[file], want) {
					t.Errorf("%s: flags %q, want %q", file, got[file], want)
				}
			}
			dir = t.TempDir()
			if diff := cmp.Diff(tt.open, openedLayers(t, dir, run(dir, overlayOpens))); diff != "" {
				t.Errorf("layers of opened files (-want +got)\n%s", diff)
			}
		})
	}
}

// overlayAgain mounts one overlay after another below directory $1 until one has the
// numbers of the first, which had no upper layer, and executes a file of both.
const overlayAgain = `
set -e
mount -t tmpfs none "$1"
cd "$1"
mkdir one two three view work
cp /proc/self/exe one/program
sleep 0.1
mkdir upper
numbers() { while read id parent device root at rest; do [ "$at" != "$1/view" ] || echo "$id $device"; done < /proc/self/mountinfo; }
mount -t overlay none -o lowerdir=one:two:three view # as many layers as below
was=$(numbers "$1")
"$1/view/program" --version >/dev/null 2>&1 || true
umount view
for round in 1 2 3 4 5 6 7 8 9 10; do
	sleep 0.1
	mount -t overlay none -o "lowerdir=$1/one:$1/two,upperdir=$1/upper,workdir=$1/work" view
	if [ "$(numbers "$1")" = "$was" ]; then
		chmod 711 view/program
		"$1/view/program" --version >/dev/null 2>&1 || true
		exit 0
	fi
	umount view
done
exit "$2"
`

// TestLayersOfAnotherMount: an overlay file system that has the numbers of one that is
// gone is not taken for that.
func TestLayersOfAnotherMount(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	inside := []string{"unshare", "--mount", "--propagation", "private"}
	if out, err := exec.Command(inside[0], append(slices.Clone(inside[1:]), "sh", "-c", overlayAgain, "sh", dir, "77")...).CombinedOutput(); err != nil {
		t.Skipf("the kernel does not give such numbers again: %v\n%s", err, out)
	}
	_, records := traceAs(t, inside, "--", "sh", "-c", overlayAgain, "sh", dir, "0")
	want := map[string][]string{"view/program": {fmt.Sprint(exeLower), fmt.Sprint(exeWritable | exeUpper)}}
	if got := executed(t, dir, records); !cmp.Equal(got, want) && len(got["view/program"]) > 1 {
		t.Errorf("flags %q, want %q", got, want)
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

// openedLayers are the flags of layers of the files below a directory that the program
// layers has opened by their whole paths.
func openedLayers(t *testing.T, dir string, records [][]byte) map[string][]uint64 {
	t.Helper()
	layers := map[string][]uint64{}
	eachParsed(t, records, func(v *event.View) {
		if syscalls.IsEnter(v.Type()) || !slices.Contains([]string{"open", "openat", "creat"}, v.Name()) {
			return
		}
		flags, layer := param(v, "flags"), uint64(fdUpper|fdLower)
		if v.Name() == "creat" {
			flags, layer = param(v, "creat_flags"), creatUpper|creatUpper<<1
		}
		if file, ok := strings.CutPrefix(string(v.Str(param(v, "name"))), dir+"/"); ok {
			bits, _ := v.Uint(flags)
			layers[file] = append(layers[file], bits&layer)
		}
	})
	return layers
}

// eachExec calls f with each end of an exec, and the program's own name for itself.
func eachExec(t *testing.T, records [][]byte, f func(exe string, v *event.View)) {
	t.Helper()
	eachParsed(t, records, func(v *event.View) {
		if v.Type() == syscalls.ExecveX {
			f(strings.TrimSuffix(string(v.Param(1)), "\x00"), v)
		}
	})
}

func eachParsed(t *testing.T, records [][]byte, f func(*event.View)) {
	t.Helper()
	for i, rec := range records {
		var v event.View
		if err := v.Parse(rec); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
		f(&v)
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

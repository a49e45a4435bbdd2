//go:build foreign

package cmdline

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// foreignCaptures names a directory of captures that are not part of the
// repository: SENSOR_CAPTURES=DIR go test -tags foreign.
const foreignCaptures = "SENSOR_CAPTURES"

// foreignFields are compared with sysdig 0.29.3; the differences that
// docs/sensor.md lists are left out.
const foreignFields = `
evt.num evt.time evt.time.s evt.time.iso8601 evt.datetime evt.rawtime evt.rawtime.ns evt.reltime evt.reltime.ns
evt.latency evt.latency.s evt.latency.ns evt.latency.human evt.deltatime evt.dir evt.type evt.category evt.cpu
evt.args evt.arg[0] evt.arg.fd evt.arg.flags evt.arg.name evt.arg.data evt.info evt.buffer evt.buflen evt.res
evt.rawres evt.failed evt.is_io evt.io_dir evt.is_wait evt.wait_latency evt.is_syslog evt.count evt.count.error
evt.count.error.file evt.count.error.net evt.count.error.memory evt.count.error.other evt.count.exit evt.abspath
evt.is_open_read evt.is_open_write evt.is_open_exec
proc.pid proc.exe proc.name proc.args proc.env proc.cmdline proc.exeline proc.cwd proc.nthreads proc.nchilds
proc.ppid proc.apid[0] proc.aname[0] proc.loginshellid proc.duration proc.fdopencount proc.fdlimit proc.fdusage
proc.vmsize proc.vmrss proc.vmswap thread.pfmajor thread.pfminor thread.tid thread.ismain thread.cgroups
thread.cgroup.cpuset thread.vtid proc.vpid thread.vmsize thread.vmrss proc.sid proc.sname proc.tty proc.exepath
proc.vpgid proc.is_exe_writable user.uid user.name user.homedir user.shell user.loginuid user.loginname group.name
container.id fdlist.nums fdlist.names fdlist.cips fdlist.sips fdlist.cports fdlist.sports
syslog.facility syslog.facility.str syslog.severity syslog.severity.str syslog.message
fd.num fd.is_server fd.connected fd.name_changed`

func TestForeignFields(t *testing.T) {
	captures, _ := filepath.Glob(filepath.Join(os.Getenv(foreignCaptures), "*.scap"))
	if len(captures) == 0 {
		t.Fatalf("no captures in %s=%q", foreignCaptures, os.Getenv(foreignCaptures))
	}
	for _, capture := range captures {
		sameColumns(t, capture, strings.Fields(foreignFields))
	}
}

// sameColumns wants the same of fields from sysdig and sensor, on all lines.
func sameColumns(t *testing.T, capture string, names []string) {
	t.Helper()
	const separator, end = " |#| ", " |#|$"
	format := "*%evt.num %evt.dir %evt.type"
	for _, name := range names {
		format += separator + "%" + name
	}
	format += end
	want, err := exec.Command("sysdig", "-r", capture, "-d", "-p", format).Output()
	if err != nil {
		t.Fatalf("sysdig: %v", err)
	}
	var got, stderr bytes.Buffer
	if status := run([]string{"-r", capture, "-p", format}, nil, &got, &stderr); status != 0 {
		t.Fatalf("%s: status %d: %s", capture, status, &stderr)
	}
	// sysdig does not escape newlines and tabs of values.
	unescaped := strings.NewReplacer(`\n`, "\n", `\t`, "\t")
	ours, theirs := strings.Split(unescaped.Replace(got.String()), end+"\n"), strings.Split(unescaped.Replace(string(want)), end+"\n")
	if len(ours) != len(theirs) {
		t.Fatalf("%s: %d lines, sysdig has %d", capture, len(ours), len(theirs))
	}
	differ := map[string]bool{}
	for i := range ours {
		a, b := strings.Split(ours[i], separator), strings.Split(theirs[i], separator)
		for k := 1; k < min(len(a), len(b)); k++ {
			name := names[k-1]
			if strings.HasPrefix(name, "fd.") && (strings.Contains(a[0], " < getsockopt") || strings.Contains(a[0], " < setsockopt")) {
				continue // it looks in the enter event, which has none
			}
			if a[k] != b[k] && !differ[name] {
				differ[name] = true
				t.Errorf("%s: %s: %s %q, sysdig has %q", filepath.Base(capture), a[0], name, a[k], b[k])
			}
		}
	}
}

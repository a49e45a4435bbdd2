package cmdline

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/procfs"
	"github.com/pdig/pdig/sensor/capture"
	"github.com/pdig/pdig/sensor/state"
	"github.com/pdig/pdig/syscalls"
)

// replay prints what is in a capture file, or writes it into another one. Names
// come from the file: it may be of another machine.
func (p *program) replay() error {
	table := state.New(state.Config{Sysdig: true, Style: p.show.lines})
	reader, err := capture.Open(p.read, p.stdin, func(e capture.Entry) {
		table.Restore(e)
		if p.files != nil {
			p.files.Add(e)
		}
	})
	if err != nil {
		return err
	}
	ctx, done := p.untilSignal()
	defer done()
	return p.loop(ctx, reader, table)
}

// ceiling is how many event codes the producer may use, 0 for all: what is
// written has to be readable for sysdig 0.29.3.
func (p *program) ceiling() int {
	if p.write != "" {
		return syscalls.CeilingA
	}
	return 0
}

// living is a table that asks this machine for what events do not tell.
func living(style event.Style) *state.Table {
	proc, _ := procfs.Root()
	table := state.New(state.Config{Root: "/", Proc: proc, Style: style})
	table.Restore(machine())
	for _, in := range interfaces() {
		table.Restore(in)
	}
	return table
}

// machine describes this one. What it does not tell is 0.
func machine() *capture.Machine {
	m := &capture.Machine{CPUs: uint32(runtime.NumCPU()), MaxPID: 1 << 22}
	m.Host, _ = os.Hostname()
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		m.Memory = uint64(info.Totalram) * uint64(info.Unit)
	}
	var now, up unix.Timespec
	if unix.ClockGettime(unix.CLOCK_REALTIME, &now) == nil && unix.ClockGettime(unix.CLOCK_BOOTTIME, &up) == nil {
		m.Boot = uint64(now.Nano() - up.Nano())
	}
	return m
}

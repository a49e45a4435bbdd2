package cmdline

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/cli"
	"github.com/pdig/pdig/internal/procfs"
	"github.com/pdig/pdig/sensor/source"
)

// engine is a way to get at events.
type engine struct {
	name   string
	option string
	asked  func(*options) bool // for this one, on the command line
	// kernel says that it sees the sensor too, and needs capabilities to be opened.
	kernel bool
	// keep are the capabilities that it needs afterwards as well.
	keep []int
	// probe finds out whether it works here, and leaves nothing behind: the evidence, or
	// a refusal.
	probe func(*program) (evidence string, err error)
	open  func(*program) (source.Source, error)
}

// engines are all of them, the best first.
func engines() []*engine {
	return []*engine{
		{
			name: "modern", option: "--modern-bpf", asked: func(o *options) bool { return o.modern }, kernel: true,
			keep:  []int{unix.CAP_BPF}, // its counters are in a map
			probe: (*program).probeModern, open: (*program).openModern,
		},
		{
			name: "kmod", option: "--kmod", asked: func(o *options) bool { return o.kmod }, kernel: true,
			// The devices are opened anew when a CPU comes online, and their mode is 0400.
			keep:  []int{unix.CAP_DAC_OVERRIDE},
			probe: (*program).probeModule, open: (*program).openModule,
		},
		{
			name: "ebpf", option: "--ebpf", asked: (*options).asksProbe, kernel: true,
			// Its counters are in a map, and a CPU that comes online gets a ring of any size.
			keep:  []int{unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_IPC_LOCK},
			probe: (*program).probeProbe, open: (*program).openProbe,
		},
		{
			name: "userspace", option: "-u", asked: (*options).asksRing,
			probe: (*program).probeRing, open: (*program).openRing,
		},
	}
}

// refusal is why an engine does not work, and what to do.
type refusal struct {
	err    error
	remedy string
}

func (r *refusal) Error() string { return r.err.Error() + ": " + r.remedy }
func (r *refusal) Unwrap() error { return r.err }

// listEngines prints a line for each engine, and reports whether one is usable.
func (p *program) listEngines(w io.Writer) (usable bool, err error) {
	for _, e := range engines() {
		verdict := "usable"
		text, bad := e.probe(p)
		if bad != nil {
			verdict, text = "unusable", bad.Error()
		}
		usable = usable || bad == nil
		if _, writeErr := fmt.Fprintf(w, "%-10s %-9s %s\n", e.name, verdict, text); writeErr != nil {
			err = cmp.Or(err, fmt.Errorf("output: %w", writeErr))
		}
	}
	return usable, err
}

// openSource opens the live source that was asked for, else the best that works.
func (p *program) openSource() (source.Source, error) {
	for _, e := range engines() {
		if e.asked(p.options) {
			src, err := p.use(e)
			if err != nil && e.kernel {
				err = fmt.Errorf("%s: %w", e.option, err)
			}
			return src, err
		}
	}
	for _, e := range engines() {
		evidence, err := e.probe(p)
		if err == nil {
			var src source.Source
			if src, err = p.use(e); err == nil {
				fmt.Fprintf(p.stderr, "sensor: no source given: reading %s (%s): %s\n", e.name, e.option, evidence)
				return src, nil
			}
		}
		fmt.Fprintf(p.stderr, "sensor: no source given: not %s: %v\n", e.name, err)
	}
	return nil, errors.New("no engine works here (see sensor --engines)")
}

// use opens an engine, and gives up what was needed for that only.
func (p *program) use(e *engine) (source.Source, error) {
	src, err := e.open(p)
	if err != nil || !e.kernel {
		return src, err
	}
	err = dropCapabilities(append(e.keep, unix.CAP_SYS_PTRACE, unix.CAP_DAC_READ_SEARCH))
	if errors.Is(err, errors.ErrUnsupported) { // a build with cgo has threads that Go does not know
		p.log.Warn().Err(err).Msg("capabilities are not dropped")
	} else if err != nil {
		return nil, errors.Join(fmt.Errorf("capabilities: %w", err), src.Close())
	}
	own, err := procfs.FirstOnly()
	if err != nil {
		p.log.Warn().Err(err).Msg("nothing is known of processes that ran before: run in the pid namespace of the machine (docker run --pid=host)")
	}
	p.own = int64(own)
	return src, nil
}

// checkEngine looks at the options that belong to engines.
func (o *options) checkEngine() error {
	if err := o.checkPreset(); err != nil {
		return err
	}
	var asked *engine
	for _, e := range engines() {
		if !e.asked(o) {
			continue
		}
		if asked != nil {
			return fmt.Errorf("%s and %s exclude each other", asked.option, o.asking(e))
		}
		asked = e
	}
	switch {
	case o.flags.Changed("buffer-preset") && (len(o.command) > 0 || asked != nil && !asked.kernel):
		return fmt.Errorf("--buffer-preset: only rings of the kernel have presets (--kmod, --ebpf, --modern-bpf)")
	case o.flags.Changed("cpus-per-buffer") && !o.modern:
		return fmt.Errorf("--cpus-per-buffer: only the modern probe shares rings (--modern-bpf)")
	case o.cpusPerBuffer < 0:
		return cli.ValueError("cpus-per-buffer", strconv.Itoa(o.cpusPerBuffer), "at least 0")
	case asked == nil || !asked.kernel:
		return nil
	case len(o.command) > 0:
		return fmt.Errorf("%s: a command has a ring of its own", asked.option)
	case o.flags.Changed("ring-size"):
		return fmt.Errorf("%s and --ring-size exclude each other", asked.option)
	}
	return nil
}

// asking is the option by which an engine was asked for.
func (o *options) asking(e *engine) string {
	if e.kernel {
		return e.option
	}
	for _, name := range ringOptions {
		if o.flags.Changed(name) {
			return "--" + name
		}
	}
	return e.option
}

// ringOptions are those that only the userspace ring has.
var ringOptions = []string{"userspace", "ring", "ring-mode"}

func (o *options) asksRing() bool {
	for _, name := range ringOptions {
		if o.flags.Changed(name) {
			return true
		}
	}
	return false
}

// checkEngines looks at what excludes a list of engines.
func (o *options) checkEngines() error {
	if !o.engines {
		return nil
	}
	for _, name := range []string{"read", "write"} {
		if o.flags.Changed(name) {
			return fmt.Errorf("--engines and --%s exclude each other", name)
		}
	}
	if len(o.command) > 0 {
		return fmt.Errorf("--engines: a command is given")
	}
	return nil
}

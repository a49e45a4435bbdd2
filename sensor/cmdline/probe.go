package cmdline

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/pdig/pdig/kernelsrc/ebpf"
	"github.com/pdig/pdig/sensor/source"
)

// Where the classic probe is: the variable names a file, or nothing for the usual
// one.
const (
	probeVariable = "FALCO_BPF_PROBE"
	usualProbe    = ".falco/falco-bpf.o"
)

// asksProbe reports whether the classic probe is to be read: --ebpf is given, or the
// variable is set and no other source is asked for.
func (o *options) asksProbe() bool {
	if o.flags.Changed("ebpf") {
		return true
	}
	_, set := os.LookupEnv(probeVariable)
	return set && !o.kmod && o.read == "" && len(o.command) == 0 && !o.asksRing() && !o.flags.Changed("ring-size")
}

// probeFile is the file of the classic probe.
func (o *options) probeFile() string {
	file := os.Getenv(probeVariable)
	if o.ebpf != "~/"+usualProbe {
		file = o.ebpf
	}
	if file == "" {
		file = filepath.Join(os.Getenv("HOME"), usualProbe)
	}
	return file
}

// probeProbe looks whether there is a probe for this kernel.
func (p *program) probeProbe() (string, error) {
	file := p.probeFile()
	if err := ebpf.Check(file); err != nil {
		return "", &refusal{fmt.Errorf("%s: %w", file, err), "another file is named by --ebpf=FILE or " + probeVariable}
	}
	return file, nil
}

// openProbe loads Falco's classic eBPF probe.
func (p *program) openProbe() (source.Source, error) {
	file := p.probeFile()
	d, err := ebpf.Open(ebpf.Config{
		File: file, RingSize: presetSize(p.preset), Snaplen: p.snaplen,
		Wants: p.wants(), Switches: p.all, Signals: p.all, Log: p.log,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return source.Merge(d), nil
}

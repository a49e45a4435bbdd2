package cmdline

import (
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/pflag"

	"github.com/pdig/pdig/internal/beside"
	"github.com/pdig/pdig/internal/sys"
	"github.com/pdig/pdig/shm"
	"github.com/pdig/pdig/tracer/launch"
)

// Beside are the options of a sensor that a tracer starts beside itself. It has no
// source and no command to choose, and writes to its standard output.
type Beside struct {
	o      *options
	flags  *pflag.FlagSet
	filter string
}

// notBeside are the options that such a sensor does not have. One that ends before its
// tracer would be started again.
var notBeside = []string{
	"userspace", "kmod", "ebpf", "modern-bpf", "buffer-preset", "cpus-per-buffer", "engines", "driver", "driver-type",
	"driver-dir", "driver-repo", "read", "ring", "ring-mode", "all", "wait-all", "adopt", "args-limit", "list", "list-events", "output",
	"count", "seconds", "help", "version",
}

// NewBeside returns the options with their defaults.
func NewBeside(program string) *Beside {
	b := &Beside{o: newOptions(), flags: pflag.NewFlagSet(program, pflag.ContinueOnError)}
	b.flags.SortFlags = false
	b.o.flags.VisitAll(func(f *pflag.Flag) {
		if !slices.Contains(notBeside, f.Name) {
			b.flags.AddFlag(f)
		}
	})
	b.flags.StringVar(&b.filter, "filter", "", "show the events that pass the filter `TEXT`")
	return b
}

// Flags are the options to be read.
func (b *Beside) Flags() *pflag.FlagSet { return b.flags }

// Check looks at all values. Its errors name the option.
func (b *Beside) Check() error {
	b.o.tracer = &beside.Peer{}
	return b.o.check(b.words())
}

// RingSize is that of the ring between the two. [Beside.Check] has looked at it.
func (b *Beside) RingSize() int { return b.o.size }

// Args are the arguments for [RunBeside].
func (b *Beside) Args() []string {
	var args []string
	b.o.flags.VisitAll(func(f *pflag.Flag) {
		if !f.Changed {
			return
		}
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, v := range values {
			args = append(args, "--"+f.Name+"="+v)
		}
	})
	return append(args, b.words()...)
}

func (b *Beside) words() []string {
	if b.filter == "" {
		return nil
	}
	return []string{b.filter}
}

// RunBeside is the sensor: the arguments are those of [Beside.Args] and, behind them,
// those of the tracer. It returns the exit status. It is no target for what is sent to
// the command or its terminal: it ends when its tracer does.
func RunBeside(args []string, stdout, stderr io.Writer) int {
	peer, args, err := beside.Join(args)
	if err != nil {
		complain(stderr, err)
		return statusUsage
	}
	launch.CloseInherited()
	if err := launch.IgnoreSignals(); err != nil {
		complain(stderr, err)
		return statusFailed
	}
	sys.Hide()
	o, err := parseBeside(args, peer)
	if err != nil {
		complain(stderr, err)
		return statusUsage
	}
	p := program{options: o, stdin: os.Stdin, stdout: stdout, stderr: stderr}
	status, err := p.run()
	if err != nil {
		complain(stderr, err)
		return statusFailed
	}
	return status
}

func parseBeside(args []string, peer *beside.Peer) (*options, error) {
	o := newOptions()
	words, err := o.takeWords(args)
	if err != nil {
		return nil, err
	}
	o.tracer = peer
	return o, o.check(words)
}

// besideTracer prints what the tracer brings until it wants no more.
func (p *program) besideTracer() error {
	src, ctx, err := p.tracer.Open(shm.ConsumerConfig{Snaplen: p.snaplen, Ceiling: p.ceiling(), Truth: true, Log: p.log})
	if err != nil {
		return fmt.Errorf("ring of the tracer: %w", err)
	}
	return p.loop(ctx, src, living(p.show.lines))
}

package cmdline

import (
	"fmt"
	"io/fs"
	"math"
	"math/bits"
	"os"
	"strconv"
	"strings"

	"github.com/rs/zerolog"
	"github.com/spf13/pflag"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/beside"
	"github.com/pdig/pdig/internal/cli"
	"github.com/pdig/pdig/sensor/fields"
	"github.com/pdig/pdig/shm"
)

// options are the command line.
type options struct {
	flags *pflag.FlagSet

	userspace     bool
	kmod          bool
	ebpf          string // what --ebpf says
	modern        bool
	preset        int
	cpusPerBuffer int
	read          string
	ring          string
	ringSize      string
	ringMode      string
	snaplen       int
	all           bool
	waitAll       bool
	adopt         bool
	argsLimit     int
	json          bool
	msgpack       bool
	count         int64
	seconds       int64
	quiet         bool
	top           bool
	show          show
	list          string // class of fields, allClasses for every one
	listEvents    bool
	engines       bool
	driver        string
	driverType    string
	driverDirs    []string
	driverRepo    string
	output        string
	write         string
	pack          bool
	fileSize      int64
	fileTime      int64
	limit         int
	last          string
	level         string
	logFile       string
	help          bool
	version       bool

	size     int         // of the ring of a command, bytes
	recent   int64       // of a flight recorder, bytes; 0: none
	mode     os.FileMode // of a shared ring that has to be created
	logLevel zerolog.Level
	dash     bool // what follows is a command
	command  []string
	tracer   *beside.Peer // the ring is that of the tracer that has started this sensor

	event  fields.Event   // what filter and fields look at
	filter *fields.Filter // nil: all events
}

// Defaults of the ring; the size is udig's.
const (
	defaultSize = "8M"
	defaultMode = "0600"
)

func newOptions() *options {
	o := &options{flags: cli.NewFlagSet("sensor")}
	f := o.flags
	f.BoolVarP(&o.userspace, "userspace", "u", false, "read the ring that pdig writes")
	f.BoolVar(&o.kmod, "kmod", false, "read the rings of Falco's kernel module (falco, or Debian's scap), which has to be loaded")
	f.StringVar(&o.ebpf, "ebpf", "~/"+usualProbe, "`[=FILE]` load Falco's classic eBPF probe from FILE and read its rings; without FILE, and without a source if it is set, that which FALCO_BPF_PROBE names")
	f.Lookup("ebpf").NoOptDefVal = "~/" + usualProbe
	f.IntVar(&o.preset, "buffer-preset", defaultPreset, "with --kmod, --ebpf or --modern-bpf: size of each ring, as `N` from 1 to 10: 1M, 2M, 4M, ... 512M")
	f.BoolVar(&o.modern, "modern-bpf", false, "read the kernel by the probe that is part of this program (Linux 5.8 with BTF)")
	f.IntVar(&o.cpusPerBuffer, "cpus-per-buffer", 1, "with --modern-bpf: `N` CPUs share a ring; 0: all share one")
	f.BoolVar(&o.engines, "engines", false, "print which sources of events work here and which do not, with the evidence and what to do, the best first: without a source the first that works is read")
	f.StringVar(&o.driver, "driver", "", "`load`, unload or build Falco's driver, or print its status: one that fits this kernel, else it is built from the sources in /usr/src; nothing is downloaded but from --driver-repo")
	f.StringVar(&o.driverType, "driver-type", "kmod", "with --driver: `kmod`, the kernel module, or ebpf, the classic probe")
	f.StringVar(&o.driverRepo, "driver-repo", "", "with --driver load: get a driver from the address `URL` of a driver version, by curl, before one is built")
	f.StringArrayVar(&o.driverDirs, "driver-dir", nil, "with --driver: look for drivers in `DIR` first, and leave what is built there; may be repeated")
	f.StringVarP(&o.read, "read", "r", "", "read the capture `FILE`, - for stdin")
	f.StringVar(&o.ring, "ring", shm.DefaultPrefix, "read the pair of ring objects `PREFIX`_buf and PREFIX_descs: a name below /dev/shm, or a path")
	f.StringVar(&o.ringMode, "ring-mode", defaultMode, "permissions, an octal `MODE`, of ring objects that have to be created")
	f.StringVar(&o.ringSize, "ring-size", defaultSize, "with a command: `SIZE` of the ring between it and the sensor, a power of two, with K, M or G")
	f.IntVarP(&o.snaplen, "snaplen", "s", 0, "ask for `N` bytes of the data of read, write, send... (default 80)")
	f.BoolVarP(&o.all, "all", "A", false, "every system call, not only those that matter for security: with a command, --kmod, --ebpf or --modern-bpf; -u brings what pdig was started with (pdig -e all)")
	f.BoolVar(&o.waitAll, "wait-all", false, "with a command: end when its last descendant has ended, and not with the command")
	f.BoolVar(&o.adopt, "adopt", false, "with a command: trace also processes that come into its pid namespace from outside")
	f.IntVar(&o.argsLimit, "args-limit", 0, "with a command: keep `N` bytes of the arguments of a program, and of its environment (default 4096)")
	f.BoolVarP(&o.json, "json", "j", false, "print one JSON object a line")
	f.BoolVar(&o.msgpack, "msgpack", false, "print a stream of msgpack maps with the keys of --json")
	f.Int64VarP(&o.count, "count", "n", 0, "end after `N` printed events; a command goes on without")
	f.Int64VarP(&o.seconds, "seconds", "M", 0, "end after `N` seconds; a command goes on without")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "print no events")
	f.BoolVar(&o.top, "top", false, "print no events but tables of the busiest calls, processes and files, on a terminal all the time; at the end also what ran, what was written and who was talked to")
	o.show.register(f)
	f.StringVarP(&o.list, "list", "l", "", "print the fields of filters and formats, or with `[=CLASS]` those of a class; with -j as JSON")
	f.Lookup("list").NoOptDefVal = allClasses
	f.BoolVarP(&o.listEvents, "list-events", "L", false, "print the events with their parameters; with -j as JSON")
	f.StringVarP(&o.output, "output", "o", "", "print events to `WHERE`: stdout, stderr, a file, or unix:PATH for a socket on which somebody listens (default stdout, with a command: stderr)")
	f.StringVarP(&o.write, "write", "w", "", "write a capture into `FILE`, - for stdout; events are printed only if -o, -p, -j or --msgpack is given too")
	f.BoolVarP(&o.pack, "compress", "z", false, "with -w: pack the capture by gzip")
	f.Int64VarP(&o.fileSize, "file-size", "C", 0, "with -w: go on in another file, FILE0, FILE1, ..., after `N` million bytes")
	f.Int64VarP(&o.fileTime, "file-seconds", "G", 0, "with -w: go on in another file after `N` seconds; FILE may have the time in it, as in %H%M%S")
	f.IntVarP(&o.limit, "limit", "W", 0, "with -C or -G: keep `N` files and overwrite the oldest")
	f.StringVar(&o.last, "last", "", "with -w: keep the newest `SIZE` of events in memory, with K, M or G, and write them at the end and at SIGUSR2")
	f.StringVar(&o.level, "log-level", "warn", "log the sensor's own words from this `LEVEL` on: debug, info, warn, error")
	f.StringVar(&o.logFile, "log-file", "", "log to `FILE`, as JSON, instead of stderr")
	f.BoolVarP(&o.help, "help", "h", false, "print this help")
	f.BoolVar(&o.version, "version", false, "print the version")
	return o
}

// usage is the text of --help.
func usage(o *options) string {
	return "usage: sensor [options] [filter words...]\n" +
		"       sensor -r FILE [options] [filter words...]\n" +
		"       sensor [options] [filter words...] -- command [argument...]\n\n" +
		"Prints the system calls that pdig or the kernel records, or those of a capture file, that\n" +
		"pass the filter; with a command, starts pdig on it. Without a source and a command the\n" +
		"best source that works here is read.\n\n" +
		"options:\n" + cli.Usage(o.flags)
}

// parse reads the arguments of sensor, and the environment. Its errors name the option.
func (h Host) parse(args []string) (*options, error) {
	o := newOptions()
	words, err := o.takeWords(args)
	if err != nil {
		if bad := o.makeFilter(words); bad != nil {
			err = bad // the option is the command's, as in "sensor ls -l"
		}
		return o, err
	}
	if o.help || o.version {
		return o, nil
	}
	if o.dash && len(o.command) == 0 {
		return o, fmt.Errorf("no command after -- (see sensor --help)")
	}
	if words, err = h.environment(o, words); err != nil {
		return o, err
	}
	return o, o.check(words)
}

// check looks at all values, and compiles filter and format.
func (o *options) check(words []string) error {
	for _, check := range []func() error{o.checkRead, o.checkEngine, o.checkEngines, o.checkDriver, o.checkRing, o.checkNumbers, o.checkOutput, o.checkWrite, o.checkShow, o.checkTop, o.checkFields} {
		if err := check(); err != nil {
			return err
		}
	}
	if err := o.makeFilter(words); err != nil {
		return err
	}
	return o.makeFormat()
}

func (o *options) checkRing() (err error) {
	if o.ring == "" {
		return cli.ValueError("ring", o.ring, "the name of a ring")
	}
	mode, err := strconv.ParseUint(o.ringMode, 8, 32)
	if err != nil || mode == 0 || fs.FileMode(mode)&^fs.ModePerm != 0 {
		return cli.ValueError("ring-mode", o.ringMode, "an octal mode such as 0600")
	}
	o.mode = fs.FileMode(mode)
	if o.size, err = parseSize(o.ringSize); err != nil {
		return cli.ValueError("ring-size", o.ringSize, "a power of two from 16K to 1G")
	}
	for _, name := range notCommand {
		if o.flags.Changed(name) && len(o.command) > 0 {
			return fmt.Errorf("--%s: a command has a ring of its own", name)
		}
	}
	for _, name := range forCommand {
		if o.flags.Changed(name) && len(o.command) == 0 {
			return fmt.Errorf("--%s: there is no command", name)
		}
	}
	if o.flags.Changed("args-limit") && (o.argsLimit < minArgsLimit || o.argsLimit > maxArgsLimit) {
		return cli.ValueError("args-limit", strconv.Itoa(o.argsLimit), fmt.Sprintf("between %d and %d", minArgsLimit, maxArgsLimit))
	}
	if o.flags.Changed("ring-size") && len(o.command) == 0 && o.tracer == nil {
		return fmt.Errorf("--ring-size: only the ring of a command can be chosen, a shared one has %s", defaultSize)
	}
	return nil
}

// Sizes of a ring, in bytes.
const (
	minSize = 16 << 10
	maxSize = 1 << 30
)

// parseSize reads a power of two, in bytes or with a unit.
func parseSize(s string) (int, error) {
	digits, unit := splitUnit(s)
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil {
		return 0, err
	}
	n <<= unit
	if n < minSize || n > maxSize || bits.OnesCount64(n) != 1 {
		return 0, strconv.ErrRange
	}
	return int(n), nil
}

// splitUnit takes the K, M or G from a number: the bits that it is to be shifted.
func splitUnit(s string) (digits string, unit int) {
	for shift, suffix := range []string{"K", "M", "G"} {
		if d, ok := strings.CutSuffix(strings.ToUpper(s), suffix); ok {
			return d, 10 * (shift + 1)
		}
	}
	return s, 0
}

func (o *options) checkNumbers() error {
	if o.flags.Changed("snaplen") && (o.snaplen < 1 || o.snaplen > event.MaxParam) {
		return cli.ValueError("snaplen", strconv.Itoa(o.snaplen), fmt.Sprintf("between 1 and %d", event.MaxParam))
	}
	if o.flags.Changed("count") && o.count < 1 {
		return cli.ValueError("count", strconv.FormatInt(o.count, 10), "at least 1")
	}
	if o.flags.Changed("seconds") && (o.seconds < 1 || o.seconds > math.MaxInt32) {
		return cli.ValueError("seconds", strconv.FormatInt(o.seconds, 10), fmt.Sprintf("between 1 and %d", math.MaxInt32))
	}
	return nil
}

// Options that are not for every source: a capture, a command with a ring of its own, and
// all but a command.
var (
	notRead    = []string{"userspace", "kmod", "modern-bpf", "cpus-per-buffer", "buffer-preset", "ring", "ring-mode", "ring-size", "snaplen", "all"}
	notCommand = []string{"ring", "ring-mode"}
	forCommand = []string{"wait-all", "adopt", "args-limit"}
)

func (o *options) checkRead() error {
	if !o.flags.Changed("read") {
		return nil
	}
	switch {
	case o.read == "":
		return cli.ValueError("read", o.read, "the name of a file")
	case len(o.command) > 0:
		return fmt.Errorf("--read: a command has events of its own")
	case o.isRead(o.write):
		return fmt.Errorf("--write: %s is the file that is read", o.write)
	case o.isRead(o.output):
		return fmt.Errorf("--output: %s is the file that is read", o.output)
	}
	for _, name := range notRead {
		if o.flags.Changed(name) {
			return fmt.Errorf("--read and --%s exclude each other", name)
		}
	}
	return nil
}

// isRead reports whether name is that of the capture that is read, which it may
// be by a link or another way to write the path: to write it would empty it first.
func (o *options) isRead(name string) bool {
	if o.read == "-" || name == "" {
		return false
	}
	if name == o.read {
		return true
	}
	from, err := os.Stat(o.read)
	if err != nil {
		return false // the reader says so
	}
	to, err := os.Stat(name)
	return err == nil && to.Mode().IsRegular() && os.SameFile(from, to)
}

func (o *options) checkWrite() error {
	if o.flags.Changed("write") && o.write == "" {
		return cli.ValueError("write", o.write, "the name of a file")
	}
	for name, n := range map[string]int64{"file-size": o.fileSize, "file-seconds": o.fileTime, "limit": int64(o.limit)} {
		if o.flags.Changed(name) && (n < 1 || n > math.MaxInt32) {
			return cli.ValueError(name, strconv.FormatInt(n, 10), fmt.Sprintf("between 1 and %d", math.MaxInt32))
		}
	}
	for _, name := range []string{"compress", "file-size", "file-seconds", "limit", "last"} {
		if o.flags.Changed(name) && o.write == "" {
			return fmt.Errorf("--%s: there is no --write", name)
		}
	}
	if o.limit > 0 && o.fileSize == 0 && o.fileTime == 0 {
		return fmt.Errorf("--limit: neither --file-size nor --file-seconds begins another file")
	}
	if err := o.checkWriteStandard(); err != nil {
		return err
	}
	return o.checkLast()
}

// standard is the name of standard input and output.
const standard = "-"

// checkWriteStandard looks whether a capture that is written to standard output has
// that for itself.
func (o *options) checkWriteStandard() error {
	if o.write != standard {
		return nil
	}
	for _, name := range []string{"file-size", "file-seconds", "last"} {
		if o.flags.Changed(name) {
			return fmt.Errorf("--write: standard output is one file, --%s makes several", name)
		}
	}
	switch shown := o.prints() || o.top; {
	case len(o.command) > 0 || o.tracer != nil:
		return fmt.Errorf("--write: standard output belongs to the command")
	case shown && (o.output == "" || o.output == beside.Stdout):
		return fmt.Errorf("--write: what is shown goes to standard output, too: give --output")
	}
	return nil
}

// Sizes of a flight recorder, in bytes.
const (
	minLast = 1 << 20
	maxLast = 64 << 30
)

func (o *options) checkLast() error {
	if !o.flags.Changed("last") {
		return nil
	}
	for _, name := range []string{"file-size", "file-seconds"} {
		if o.flags.Changed(name) {
			return fmt.Errorf("--last and --%s exclude each other", name)
		}
	}
	digits, unit := splitUnit(o.last)
	n, err := strconv.ParseUint(digits, 10, 40)
	if err != nil || n > maxLast>>unit || n<<unit < minLast {
		return cli.ValueError("last", o.last, "a size from 1M to 64G")
	}
	o.recent = int64(n << unit)
	return nil
}

// prints reports whether events are printed.
func (o *options) prints() bool {
	return !o.quiet && !o.top && (o.tracer != nil || o.write == "" || o.json || o.msgpack || o.output != "" || o.show.format != "")
}

func (o *options) checkOutput() (err error) {
	if o.json && o.msgpack {
		return fmt.Errorf("--json and --msgpack exclude each other")
	}
	o.logLevel, err = cli.Level(o.level)
	return err
}

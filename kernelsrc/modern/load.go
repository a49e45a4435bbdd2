package modern

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/kernelsrc"
)

// loaded is the probe in the kernel.
type loaded struct {
	shared
	copies []programs // in the order in which they run
	links  []link.Link
	rings  []*ebpf.Map
}

// programs are those of the object file, shared the maps that all its copies have, by their
// names there. A collection of all would keep variables mapped beyond its end.
type programs struct {
	Enter     *ebpf.Program `ebpf:"enter"`
	Leave     *ebpf.Program `ebpf:"leave"`
	Executed  *ebpf.Program `ebpf:"executed"`
	Forked    *ebpf.Program `ebpf:"forked"`
	Ended     *ebpf.Program `ebpf:"ended"`
	Delivered *ebpf.Program `ebpf:"delivered"`
	Self      *ebpf.Map     `ebpf:".data.self"` // the process that the programs have met as theirs
}

func (p *programs) all() []*ebpf.Program {
	return []*ebpf.Program{p.Enter, p.Leave, p.Executed, p.Forked, p.Ended, p.Delivered}
}

type shared struct {
	Table    *ebpf.Map `ebpf:"table"`
	Rings    *ebpf.Map `ebpf:"rings"`
	Counters *ebpf.Map `ebpf:"counters"`
	Family   *ebpf.Map `ebpf:"family"`
	Late     *ebpf.Map `ebpf:"late"`
	Told     *ebpf.Map `ebpf:"told"`
}

func (s *shared) all() map[string]*ebpf.Map {
	return map[string]*ebpf.Map{"table": s.Table, "rings": s.Rings, "counters": s.Counters, "family": s.Family, "late": s.Late, "told": s.Told}
}

// interruptible is how many copies of the probe there are where another thread may run
// while a program does, which then is not run for that one. Two threads would have to
// be left in the middle of the same program, by the same CPU, for a record to be lost.
const interruptible = 2

// maxThreads is how many numbers of threads there may be (PID_MAX_LIMIT).
const maxThreads = 4 << 20

// load brings the probe into the kernel; it records nothing yet.
func load(cfg *Config) (_ *loaded, err error) {
	if err := tooOld(); err != nil {
		return nil, err
	}
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoBTF, err)
	}
	// Before 5.11 memory of maps counts as locked. A limit that may not be raised may be
	// enough.
	limited := rlimit.RemoveMemlock()
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
	if err != nil {
		return nil, fmt.Errorf("the embedded object: %w", err)
	}
	cpus, online, err := kernelsrc.CPUs()
	if err != nil {
		return nil, err
	}
	l := &loaded{}
	defer func() {
		if err != nil {
			_ = l.close()
			err = refused(err, limited)
		}
	}()
	table, wanted := describe(cfg)
	password, err := cfg.fill(spec, cpus, wanted)
	if err != nil {
		return nil, err
	}
	if err := l.loadCopies(spec, cmp.Or(cfg.copies, copiesFor(kernel))); err != nil {
		return nil, err
	}
	for key := range table {
		if table[key] == (description{}) {
			continue
		}
		if err := l.Table.Put(uint32(key), &table[key]); err != nil {
			return nil, fmt.Errorf("table: %w", err)
		}
	}
	if err := l.makeRings(cfg, cpus, online); err != nil {
		return nil, err
	}
	for i := range l.copies {
		if err := l.attach(&l.copies[i]); err != nil {
			return nil, err
		}
	}
	if err := l.introduce(password); err != nil {
		return nil, err
	}
	return l, nil
}

// copiesFor is how many copies a kernel needs: since 7.0 its tracepoints hold a lock
// that lets other threads run (include/linux/tracepoint.h), where before they ran to their end.
func copiesFor(kernel *btf.Spec) int {
	if _, err := kernel.AnyTypeByName("class_srcu_fast_notrace_t"); err == nil {
		return interruptible
	}
	return 1
}

// loadCopies loads the programs so many times: each time with memory of their own, and
// the maps of the first.
func (l *loaded) loadCopies(spec *ebpf.CollectionSpec, n int) error {
	if n > 1 {
		spec.Maps["told"].MaxEntries = maxThreads / spec.Maps["told"].ValueSize
	}
	if err := spec.Variables["copies"].Set(uint32(n)); err != nil {
		return err
	}
	l.copies = make([]programs, n)
	first := struct {
		*programs
		*shared
	}{&l.copies[0], &l.shared}
	if err := spec.LoadAndAssign(&first, nil); err != nil {
		return err
	}
	for i := 1; i < n; i++ {
		if err := spec.Variables["place"].Set(uint32(i)); err != nil {
			return err
		}
		if err := spec.LoadAndAssign(&l.copies[i], &ebpf.CollectionOptions{MapReplacements: l.shared.all()}); err != nil {
			return err
		}
	}
	return nil
}

// attach adds the programs of a copy to those that run.
func (l *loaded) attach(of *programs) error {
	for _, p := range of.all() {
		at, err := link.AttachTracing(link.TracingOptions{Program: p})
		if err != nil {
			return fmt.Errorf("attaching %v: %w", p, err)
		}
		l.links = append(l.links, at)
	}
	return nil
}

// fill completes the object: what depends on the machine and on what is wanted.
func (cfg *Config) fill(spec *ebpf.CollectionSpec, cpus int, wanted []byte) (password uint64, err error) {
	var b [8]byte
	_, _ = rand.Read(b[:]) // does not fail
	password = binary.NativeEndian.Uint64(b[:])
	spec.Maps["scratches"].MaxEntries = uint32(len((&programs{}).all()) * cpus) // one for each on each CPU
	spec.Maps["rings"].MaxEntries = uint32(cpus)
	spec.Maps["family"].MaxEntries = cmp.Or(uint32(cfg.room), spec.Maps["family"].MaxEntries)
	return password, errors.Join(
		spec.Variables["interest"].Set(wanted),
		spec.Variables["cpus"].Set(uint32(cpus)),
		spec.Variables["family_only"].Set(cfg.Family),
		spec.Variables["signals"].Set(cfg.Wants == nil),
		spec.Variables["password"].Set(password))
}

// introduce tells the probe which process is its own, and lets it begin. A call that it does
// not hear of would leave it waiting for ever.
func (l *loaded) introduce(password uint64) error {
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		_, _, errno := unix.RawSyscall(unix.SYS_GETPID, uintptr(password), 0, 0)
		switch met, err := l.met(); {
		case err != nil:
			return err
		case met:
			return nil
		case errno != 0: // which getpid itself never gives
			return fmt.Errorf("%w: a seccomp filter refuses getpid: %v", ErrUnheard, errno) // it is no refusal of bpf
		case time.Now().After(end):
			return ErrUnheard
		}
	}
}

// patience is how long the probe may take to hear of the first call. It does at once.
const patience = 5 * time.Second

// met reports whether all copies know their own process.
func (l *loaded) met() (bool, error) {
	for i := range l.copies {
		var pid uint32
		if err := l.copies[i].Self.Lookup(uint32(0), &pid); err != nil {
			return false, fmt.Errorf("the probe's own process: %w", err)
		}
		if pid == 0 {
			return false, nil
		}
	}
	return true, nil
}

// makeRings makes the rings of the CPUs that are online, and tells the probe which CPU has
// which. Those that may come later share them: a virtual machine has many that never do.
func (l *loaded) makeRings(cfg *Config, cpus int, online []int) error {
	share := cfg.CPUsPerRing
	if share <= 0 {
		share = cpus
	}
	of := map[int]*ebpf.Map{}
	for i, cpu := range online {
		if i%share == 0 {
			m, err := ebpf.NewMap(&ebpf.MapSpec{Name: "ring", Type: ebpf.RingBuf, MaxEntries: uint32(cfg.RingSize)})
			if err != nil {
				return fmt.Errorf("a ring of %d bytes: %w", cfg.RingSize, err)
			}
			l.rings = append(l.rings, m)
		}
		of[cpu] = l.rings[len(l.rings)-1]
	}
	for cpu := range cpus {
		m := of[cpu]
		if m == nil {
			m = l.rings[cpu%len(l.rings)]
		}
		if err := l.Rings.Put(uint32(cpu), m); err != nil {
			return fmt.Errorf("ring of CPU %d: %w", cpu, err)
		}
	}
	return nil
}

// detach ends the recording.
func (l *loaded) detach() error {
	var errs []error
	for _, at := range l.links {
		errs = append(errs, at.Close())
	}
	l.links = nil
	return errors.Join(errs...)
}

func (l *loaded) close() error {
	err := l.detach()
	for _, m := range l.rings {
		err = errors.Join(err, m.Close())
	}
	for i := range l.copies {
		for _, p := range l.copies[i].all() {
			err = errors.Join(err, p.Close()) // nil where it was not loaded
		}
		err = errors.Join(err, l.copies[i].Self.Close())
	}
	for _, m := range l.shared.all() {
		err = errors.Join(err, m.Close())
	}
	return err
}

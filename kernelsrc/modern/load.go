package modern

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"
)

// Scratch memory of the probe: one for each kind of program that may interrupt
// another one on its CPU.
const scratches = 3

// loaded is the probe in the kernel.
type loaded struct {
	coll  *ebpf.Collection
	links []link.Link
	rings []*ebpf.Map
}

// load brings the probe into the kernel; it records nothing yet.
func load(cfg *Config) (_ *loaded, err error) {
	if err := tooOld(); err != nil {
		return nil, err
	}
	if _, err := btf.LoadKernelSpec(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoBTF, err)
	}
	// Before 5.11 memory of maps counts as locked. A limit that may not be raised may be
	// enough.
	limited := rlimit.RemoveMemlock()
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
	if err != nil {
		return nil, fmt.Errorf("the embedded object: %w", err)
	}
	cpus, err := ebpf.PossibleCPU()
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
	password, err := fill(spec, cpus, wanted)
	if err != nil {
		return nil, err
	}
	if l.coll, err = ebpf.NewCollection(spec); err != nil {
		return nil, err
	}
	for key := range table {
		if table[key] == (description{}) {
			continue
		}
		if err := l.coll.Maps["table"].Put(uint32(key), &table[key]); err != nil {
			return nil, fmt.Errorf("table: %w", err)
		}
	}
	if err := l.makeRings(cfg, cpus); err != nil {
		return nil, err
	}
	for name, p := range l.coll.Programs {
		at, err := link.AttachTracing(link.TracingOptions{Program: p})
		if err != nil {
			return nil, fmt.Errorf("attaching %s: %w", name, err)
		}
		l.links = append(l.links, at)
	}
	introduce(password)
	return l, nil
}

// fill completes the object: what depends on the machine and on what is wanted.
func fill(spec *ebpf.CollectionSpec, cpus int, wanted []byte) (password uint64, err error) {
	var b [8]byte
	_, _ = rand.Read(b[:]) // does not fail
	password = binary.NativeEndian.Uint64(b[:])
	spec.Maps["scratches"].MaxEntries = uint32(scratches * cpus)
	spec.Maps["rings"].MaxEntries = uint32(cpus)
	return password, errors.Join(
		spec.Variables["interest"].Set(wanted),
		spec.Variables["password"].Set(password))
}

// introduce tells the probe which process is its own, and lets it begin.
func introduce(password uint64) {
	_, _, _ = unix.RawSyscall(unix.SYS_GETPID, uintptr(password), 0, 0)
}

// makeRings makes the rings and tells the probe which CPU has which.
func (l *loaded) makeRings(cfg *Config, cpus int) error {
	share := cfg.CPUsPerRing
	if share <= 0 {
		share = cpus
	}
	for cpu := range cpus {
		if cpu%share == 0 {
			m, err := ebpf.NewMap(&ebpf.MapSpec{Name: "ring", Type: ebpf.RingBuf, MaxEntries: uint32(cfg.RingSize)})
			if err != nil {
				return fmt.Errorf("a ring of %d bytes: %w", cfg.RingSize, err)
			}
			l.rings = append(l.rings, m)
		}
		if err := l.coll.Maps["rings"].Put(uint32(cpu), l.rings[len(l.rings)-1]); err != nil {
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
	if l.coll != nil {
		l.coll.Close()
	}
	return err
}

package ebpf

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// createMaps creates the maps of the object. A number of entries of 0 stands for
// that of the CPUs.
func (d *Driver) createMaps(o *object, cpus int) error {
	for _, def := range o.maps {
		entries := def.entries
		if entries == 0 {
			entries = uint32(cpus)
		}
		m, err := ebpf.NewMap(&ebpf.MapSpec{
			Name: def.name, Type: ebpf.MapType(def.typ), KeySize: def.key, ValueSize: def.value,
			MaxEntries: entries, Flags: def.flags,
		})
		if err != nil {
			return fmt.Errorf("map %s: %w", def.name, err)
		}
		d.maps = append(d.maps, m)
		d.byName[def.name] = m
	}
	for _, name := range []string{
		"perf_map", "tail_map", "syscall_table", "event_info_table", "fillers_table",
		"frame_scratch_map", "tmp_scratch_map", "settings_map", "local_state_map",
	} {
		if d.byName[name] == nil {
			return fmt.Errorf("no map %s: this is no classic probe", name)
		}
	}
	return checkSizes(d.byName)
}

// checkSizes makes sure that values have the sizes which are written and read.
func checkSizes(maps map[string]*ebpf.Map) error {
	for name, sizes := range map[string][]uint32{
		"syscall_table": {oldCallSize, 16}, "event_info_table": {oldEventSize, newEventSize}, "fillers_table": {fillerSize},
		"syscall_code_routing_table": {8}, "interesting_syscalls_table": {1}, "ia32_64_map": {4},
	} {
		if m := maps[name]; m != nil && !slices.Contains(sizes, m.ValueSize()) {
			return fmt.Errorf("map %s has values of %d bytes, known are %v", name, m.ValueSize(), sizes)
		}
	}
	if n := maps["settings_map"].ValueSize(); n < minSettings || n > maxSettings {
		return fmt.Errorf("map settings_map has values of %d bytes", n)
	}
	if n := maps["local_state_map"].ValueSize(); n < stateTail+stateHead+2*8 || n > maxState {
		return fmt.Errorf("map local_state_map has values of %d bytes", n)
	}
	return nil
}

// fill writes the tables of the programs.
func (d *Driver) fill(t *tables) error {
	info, fillers, calls := d.byName["event_info_table"], d.byName["fillers_table"], d.byName["syscall_table"]
	for typ, row := range t.events {
		value, err := row.infoValue(info.ValueSize())
		if err != nil {
			return fmt.Errorf("event %d: %w", typ, err)
		}
		if err := d.put(info, uint32(typ), value); err != nil {
			return err
		}
		if err := d.put(fillers, uint32(typ), row.fillerValue()); err != nil {
			return err
		}
	}
	routing, wanted, ia32 := d.byName["syscall_code_routing_table"], d.byName["interesting_syscalls_table"], d.byName["ia32_64_map"]
	for nr := range int(calls.MaxEntries()) {
		wants := d.cfg.Wants.Number(nr)
		key, row := uint32(nr), t.calls[nr]
		errs := []error{d.put(calls, key, row.value(calls.ValueSize(), wanted == nil && !wants))}
		if routing != nil {
			errs = append(errs, d.put(routing, key, le.AppendUint64(nil, uint64(row.code))))
		}
		if wanted != nil {
			errs = append(errs, d.put(wanted, key, []byte{bit(wants)}))
		}
		if ia32 != nil {
			native, ok := t.ia32[nr]
			if !ok {
				native = -1
			}
			errs = append(errs, d.put(ia32, key, le.AppendUint32(nil, uint32(native))))
		}
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	return nil
}

func bit(on bool) byte {
	if on {
		return 1
	}
	return 0
}

func (d *Driver) put(m *ebpf.Map, key uint32, value []byte) error {
	if err := m.Update(key, value, ebpf.UpdateAny); err != nil {
		return fmt.Errorf("%v[%d]: %w", m, key, err)
	}
	return nil
}

// Settings, packed: u64 boot time, u64 operations of sockets, which the probe
// finds itself, u32 snaplen, u32 ratio, some flags of a byte, and three u16 ports
// at the end. The first version has a flag that lets it record.
const (
	minSettings    = 34
	maxSettings    = 64
	oldSettings    = 36
	offSnaplen     = 16
	offRatio       = 20
	offEnabled     = 24
	defaultSnaplen = 80
	maxSnaplen     = 65000
	statsdPort     = 8125
)

func (d *Driver) settings(size uint32, boot uint64) []byte {
	b := make([]byte, size)
	le.PutUint64(b, boot)
	snaplen := d.cfg.Snaplen
	if snaplen <= 0 {
		snaplen = defaultSnaplen
	}
	le.PutUint32(b[offSnaplen:], uint32(min(snaplen, maxSnaplen)))
	le.PutUint32(b[offRatio:], 1)
	if size == oldSettings {
		b[offEnabled] = 1
	}
	le.PutUint16(b[size-2:], statsdPort)
	return b
}

// bootTime is the time of the boot, ns since the epoch.
func bootTime() (uint64, error) {
	var since unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &since); err != nil {
		return 0, fmt.Errorf("CLOCK_BOOTTIME: %w", err)
	}
	return uint64(time.Now().UnixNano() - since.Nano()), nil
}

// The state of a CPU, packed: what the programs hand to each other, 40 or 44
// bytes, counters of u64, at the end three of them, the number of a CPU that has
// no ring, u32, and a byte that is not 0 while an event is made.
const (
	stateHead = 40
	stateTail = 3*8 + 4 + 1
	maxState  = 512
)

// tally is what the probe counts of a CPU.
type tally struct{ seen, full, large, memory, bug, ringless uint64 }

func parseState(b []byte) tally {
	end := len(b) - stateTail
	first := stateHead + (end-stateHead)%8
	u64 := func(at int) uint64 { return le.Uint64(b[at:]) }
	return tally{seen: u64(first), full: u64(first + 8), large: u64(end), memory: u64(end + 8), bug: u64(end + 16)}
}

// tallies sums up the counters of all CPUs.
func (d *Driver) tallies() tally {
	m := d.byName["local_state_map"]
	if m == nil {
		return d.gone
	}
	t := tally{}
	for cpu := range m.MaxEntries() {
		x := tallyOf(m, cpu)
		t.seen += x.seen
		t.full += x.full
		t.large += x.large
		t.memory += x.memory
		t.bug += x.bug
		t.ringless += d.ringless(cpu, x)
	}
	return t
}

func tallyOf(m *ebpf.Map, cpu uint32) tally {
	b, err := m.LookupBytes(cpu)
	if err != nil || len(b) != int(m.ValueSize()) {
		return tally{}
	}
	return parseState(b)
}

// ringless is what a CPU has seen while it had no ring. The probe does not count it: it
// is what is missing when all is read.
func (d *Driver) ringless(cpu uint32, t tally) uint64 {
	late := d.late[int(cpu)]
	if late == nil {
		return 0
	}
	i := slices.IndexFunc(d.rings, func(r *ring) bool { return r.cpu == int(cpu) })
	if i < 0 || d.rings[i].rec != nil || d.rings[i].at != d.rings[i].head.Load() {
		return late.ringless
	}
	known := t.full + t.large + t.memory + t.bug + late.read + d.rings[i].samples
	late.ringless = t.seen - min(known, t.seen)
	return late.ringless
}

package ebpf

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// openRings opens the ring of each CPU.
func (d *Driver) openRings(cpus []int) error {
	for _, cpu := range cpus {
		if err := d.openRing(cpu); err != nil {
			return fmt.Errorf("ring of CPU %d: %w", cpu, err)
		}
	}
	return nil
}

// openRing opens the ring of a CPU. It is mapped once: kernels since July 2025
// refuse what older consumers do, a second mapping over the first.
func (d *Driver) openRing(cpu int) error {
	fd, err := unix.PerfEventOpen(&unix.PerfEventAttr{
		Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_BPF_OUTPUT, Size: unix.PERF_ATTR_SIZE_VER0,
		Sample_type: unix.PERF_SAMPLE_RAW,
	}, -1, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if errors.Is(err, unix.EACCES) {
		return fmt.Errorf("perf_event_open: %w: needs CAP_PERFMON (before Linux 5.8 CAP_SYS_ADMIN)", err)
	}
	if err != nil {
		return fmt.Errorf("perf_event_open: %w", err)
	}
	page := os.Getpagesize()
	b, err := unix.Mmap(fd, 0, page+d.cfg.RingSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return errors.Join(fmt.Errorf("mmap of %d bytes: %w", page+d.cfg.RingSize, err), unix.Close(fd))
	}
	r := newRing(d, fd, cpu, b, page)
	if err = unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_ENABLE, 0); err == nil {
		err = d.byName["perf_map"].Update(uint32(cpu), uint32(fd), ebpf.UpdateAny)
	}
	if err != nil {
		return errors.Join(err, r.close())
	}
	r.opened = uint64(time.Now().UnixNano())
	d.rings = append(d.rings, r)
	d.shown = append(d.shown, r)
	return nil
}

// addRings opens rings for CPUs that have come online. One that was there before has a
// ring that nothing is written into any more: the kernel has taken its event away when
// the CPU went (perf_event_exit_cpu of kernel/events/core.c).
func (d *Driver) addRings() {
	d.shown = slices.Clone(d.shown)
	for _, cpu := range d.came {
		old := slices.IndexFunc(d.rings, func(r *ring) bool { return r.cpu == cpu })
		if err := d.openRing(cpu); err != nil {
			d.cfg.Log.Error().Err(err).Int("cpu", cpu).Msg("a CPU came online and has no ring")
			continue
		}
		d.cfg.Log.Warn().Int("cpu", cpu).Msg("a CPU came online: what it did before is lost")
		if d.late[cpu] == nil {
			d.late[cpu] = &late{}
		}
		if old < 0 {
			continue
		}
		d.late[cpu].read += d.rings[old].samples
		if err := d.rings[old].close(); err != nil { // it was read before that of another CPU told of this one
			d.cfg.Log.Error().Err(err).Int("cpu", cpu).Msg("closing the ring of before")
		}
		d.rings, d.shown = slices.Delete(d.rings, old, old+1), slices.Delete(d.shown, old, old+1)
	}
	d.came = d.came[:0]
}

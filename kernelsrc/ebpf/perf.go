package ebpf

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/sensor/source"
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
	d.rings = append(d.rings, r)
	d.shown = append(d.shown, r)
	return nil
}

// addRings opens rings for CPUs that have come online.
func (d *Driver) addRings() {
	_, online, err := readCPUs()
	if err != nil {
		d.cfg.Log.Error().Err(err).Msg("a CPU came online and cannot be found")
		return
	}
	has := map[int]bool{}
	for _, r := range d.rings {
		has[r.cpu] = true
	}
	shown := d.shown
	d.shown = append([]source.Ring(nil), shown...)
	for _, cpu := range online {
		if has[cpu] {
			continue
		}
		if err := d.openRing(cpu); err != nil {
			d.cfg.Log.Error().Err(err).Int("cpu", cpu).Msg("a CPU came online and has no ring")
			continue
		}
		d.cfg.Log.Warn().Int("cpu", cpu).Msg("a CPU came online: what it did before is lost")
	}
}

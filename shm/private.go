package shm

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Private is a ring without a name, for a producer that inherits it.
type Private struct {
	buf, descs int
}

// NewPrivate makes a ring of size bytes, a power of two; 0 is 8 MiB. Nobody,
// the producer included, can cut it. Its descriptors are inherited: the child
// that is started while they are open has them under the same numbers.
func NewPrivate(size int) (*Private, error) {
	if size == 0 {
		size = ringSizeA
	}
	buf, err := memfd("pdig ring", int64(size))
	if err != nil {
		return nil, err
	}
	descs, err := memfd("pdig ring descriptor", pageSize)
	if err != nil {
		unix.Close(buf)
		return nil, err
	}
	return &Private{buf: buf, descs: descs}, nil
}

func memfd(name string, size int64) (int, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_ALLOW_SEALING)
	if err != nil {
		return -1, fmt.Errorf("memfd_create: %w", err)
	}
	if err = reserve(fd, size); err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("ring of %d bytes: %w", size, err)
	}
	return fd, nil
}

// Prefix is what the producer takes for [Config.Prefix].
func (p *Private) Prefix() string { return fmt.Sprintf("fd:%d,%d", p.buf, p.descs) }

// Consumer begins to read. It needs the descriptors no longer than that.
func (p *Private) Consumer(cfg ConsumerConfig) (*Consumer, error) {
	buf, err := unix.FcntlInt(uintptr(p.buf), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("dup: %w", err)
	}
	descs, err := unix.FcntlInt(uintptr(p.descs), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		unix.Close(buf)
		return nil, fmt.Errorf("dup: %w", err)
	}
	cfg.Prefix = fmt.Sprintf("fd:%d,%d", buf, descs)
	return NewConsumer(cfg)
}

// Close closes the descriptors: those who have mapped the ring keep it.
func (p *Private) Close() error {
	return errors.Join(unix.Close(p.buf), unix.Close(p.descs))
}

package shm

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Private is a ring without a name, for a producer that inherits it. Nobody,
// the producer included, can cut its objects.
type Private struct {
	buf, descs int
}

// NewPrivate makes a ring of size bytes; 0 and other sizes are as in
// [Config.Size].
func NewPrivate(size int) (*Private, error) {
	cfg := Config{Size: size}
	n, err := cfg.size()
	if err != nil {
		return nil, err
	}
	l := layoutFor(n, 0)
	buf, err := memfd("pdig-ring", n)
	if err != nil {
		return nil, err
	}
	descs, err := memfd("pdig-ring-descs", l.create)
	if err != nil {
		unix.Close(buf)
		return nil, err
	}
	p := &Private{buf: buf, descs: descs}
	var one [4]byte
	binary.NativeEndian.PutUint32(one[:], 1)
	if _, err := unix.Pwrite(descs, one[:], int64(l.status+offInitialized)); err != nil {
		return nil, errors.Join(fmt.Errorf("private ring: write: %w", err), p.Close())
	}
	return p, nil
}

func memfd(name string, size int64) (int, error) {
	const flags = unix.MFD_ALLOW_SEALING | unix.MFD_CLOEXEC
	// Linux 6.3 wants to know whether it is a program (vm.memfd_noexec), and
	// those before do not know the flag.
	fd, err := unix.MemfdCreate(name, flags|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) {
		fd, err = unix.MemfdCreate(name, flags)
	}
	if err != nil {
		return -1, fmt.Errorf("private ring: memfd_create: %w", err)
	}
	if err = reserve(fd, size); err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("private ring of %d bytes: %w", size, err)
	}
	return fd, nil
}

// Prefix is what the producer takes for [Config.Prefix]: the numbers of the two
// descriptors, which are the same in a child that inherits them.
func (p *Private) Prefix() string { return fmt.Sprintf("fd:%d,%d", p.buf, p.descs) }

// HandOver calls start, which starts the child that inherits the descriptors:
// under their own numbers, which so do not stand in the way of what else the
// child inherits, as entries of exec.Cmd.ExtraFiles would. At all other times
// they are closed in a new program. No other goroutine may start a program
// meanwhile, because it would inherit them too.
func (p *Private) HandOver(start func() error) error {
	err := p.inherit(0)
	if err == nil {
		err = start()
	}
	return errors.Join(err, p.inherit(unix.FD_CLOEXEC))
}

func (p *Private) inherit(flags int) error {
	for _, fd := range []int{p.buf, p.descs} {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, flags); err != nil {
			return fmt.Errorf("private ring: fcntl: %w", err)
		}
	}
	return nil
}

// Consumer begins to read. Prefix, Size and Mode of cfg are not used.
func (p *Private) Consumer(cfg ConsumerConfig) (_ *Consumer, err error) {
	if cfg.Prefix, err = p.dup(); err != nil {
		return nil, err
	}
	return NewConsumer(cfg)
}

// Close closes the descriptors: those who have mapped the ring keep it.
func (p *Private) Close() error {
	return errors.Join(unix.Close(p.buf), unix.Close(p.descs))
}

// Producer begins to write. Prefix, Size and Mode of cfg are not used.
func (p *Private) Producer(cfg ProducerConfig) (_ *Producer, err error) {
	if cfg.Prefix, err = p.dup(); err != nil {
		return nil, err
	}
	return NewProducer(cfg)
}

// dup is the prefix of descriptors of its own.
func (p *Private) dup() (string, error) {
	buf, err := unix.FcntlInt(uintptr(p.buf), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("private ring: dup: %w", err)
	}
	descs, err := unix.FcntlInt(uintptr(p.descs), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		unix.Close(buf)
		return "", fmt.Errorf("private ring: dup: %w", err)
	}
	return fmt.Sprintf("fd:%d,%d", buf, descs), nil
}

package cmdline

import (
	"cmp"
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/kernelsrc/modern"
	"github.com/pdig/pdig/sensor/source"
	"github.com/pdig/pdig/syscalls"
)

// defaultSnaplen is how many bytes of data are kept, as in Falco's drivers.
const defaultSnaplen = 80

// openModern loads the probe that is embedded.
func (p *program) openModern() (source.Source, error) {
	cfg := modern.Config{
		RingSize: presetSize(p.preset), CPUsPerRing: p.cpusPerBuffer,
		Snaplen: cmp.Or(p.snaplen, defaultSnaplen), Ceiling: p.ceiling(), Wants: p.wants(), Truth: true, Log: p.log,
	}
	src, err := modern.Open(cfg)
	if err != nil {
		return nil, modernRefusal(err)
	}
	return src, nil
}

// modernRefusal says what to do about an error of the probe, where that is known.
func modernRefusal(err error) error {
	switch {
	case errors.Is(err, modern.ErrNoBTF):
		return &refusal{err, "another source is --kmod, or pdig and -u"}
	case errors.Is(err, modern.ErrPermission):
		return &refusal{err, "run as root, or give the program what is missing (setpriv, setcap)"}
	case errors.Is(err, modern.ErrLockdown):
		return &refusal{err, "boot without lockdown=confidentiality, or use pdig and -u"}
	case errors.Is(err, unix.ENOMEM):
		return &refusal{err, "use a smaller --buffer-preset, or fewer rings (--cpus-per-buffer)"}
	}
	return err
}

// probeModern loads the probe for a moment, with the smallest ring and for no call.
func (p *program) probeModern() (string, error) {
	src, err := modern.Open(modern.Config{RingSize: os.Getpagesize(), Wants: func(*syscalls.Call) bool { return false }})
	if err != nil {
		return "", modernRefusal(err)
	}
	if err := src.Close(); err != nil {
		return "", err
	}
	return "the kernel takes the probe", nil
}

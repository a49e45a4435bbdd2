package cmdline

import (
	"cmp"
	"errors"

	"github.com/pdig/pdig/kernelsrc/modern"
	"github.com/pdig/pdig/sensor/source"
)

// defaultSnaplen is how many bytes of data are kept, as in Falco's drivers.
const defaultSnaplen = 80

// openModern loads the probe that is embedded.
func (p *program) openModern() (source.Source, error) {
	cfg := modern.Config{
		RingSize: presetSize(p.preset), CPUsPerRing: p.cpusPerBuffer,
		Snaplen: cmp.Or(p.snaplen, defaultSnaplen), Ceiling: p.ceiling(), Wants: p.wants(),
	}
	src, err := modern.Open(cfg)
	switch {
	case errors.Is(err, modern.ErrNoBTF):
		return nil, &refusal{err, "another source is --kmod, or pdig and -u"}
	case errors.Is(err, modern.ErrPermission):
		return nil, &refusal{err, "run as root, or give it to the program (setpriv, setcap)"}
	case errors.Is(err, modern.ErrLockdown):
		return nil, &refusal{err, "boot without lockdown=confidentiality, or use pdig and -u"}
	case err != nil:
		return nil, err
	}
	return src, nil
}

// probeModern: the probe works only where it is asked for, since some of what it tells
// is not as the other engines have it yet.
func (p *program) probeModern() (string, error) {
	return "", &refusal{errors.New("not chosen by itself yet, some parameters are missing"), "ask for it by --modern-bpf"}
}

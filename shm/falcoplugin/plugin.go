package falcoplugin

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/shm"
)

// Plugin is what a host has made with one configuration.
type Plugin struct {
	cfg Config
	log zerolog.Logger
	pid int // of the process that has made it

	mu        sync.Mutex
	instances []*Instance
	gone      event.Stats // of the instances that were closed
}

// New reads a configuration. A modern host is one that knows of versions of the
// schema of events. The log hears of what is odd but no error.
func New(config string, modern bool, log zerolog.Logger) (*Plugin, error) {
	cfg, err := parseConfig(config, modern)
	if err != nil {
		return nil, err
	}
	return &Plugin{cfg: cfg, log: log, pid: os.Getpid()}, nil
}

// Close closes the instances that the host has left.
func (p *Plugin) Close() error {
	p.mu.Lock()
	left := append([]*Instance(nil), p.instances...)
	p.mu.Unlock()
	var errs []error
	for _, i := range left {
		if err := i.Close(); err != nil && !errors.Is(err, shm.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// retry is how often an open looks again for what it waits for.
const retry = 50 * time.Millisecond

// Open opens the rings that params name, see [Config.at].
func (p *Plugin) Open(params string) (*Instance, error) {
	if os.Getpid() != p.pid {
		// The threads of the Go runtime are not in the child of a fork: it would stand still.
		return nil, errors.New("the plugin was loaded before this process was forked: start Falco without -d, and put it into the background by other means")
	}
	cfg := p.cfg.at(params)
	src, err := p.source(&cfg)
	for until := time.Now().Add(cfg.wait); err != nil && worthWaiting(err) && time.Now().Before(until); {
		time.Sleep(retry)
		src, err = p.source(&cfg)
	}
	if err != nil {
		return nil, explain(err)
	}
	i, err := newInstance(p, &cfg, src)
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	p.mu.Lock()
	p.instances = append(p.instances, i)
	p.mu.Unlock()
	return i, nil
}

func (p *Plugin) source(cfg *Config) (rings, error) {
	return openGroup(cfg, p.log)
}

// worthWaiting reports whether an error may go away by itself.
func worthWaiting(err error) bool {
	return errors.Is(err, shm.ErrBusy) || errors.Is(err, os.ErrNotExist)
}

// explain speaks of our settings where package shm speaks of options.
func explain(err error) error {
	text := options.Replace(err.Error())
	if text == err.Error() {
		return err
	}
	return &explained{text, err}
}

var options = strings.NewReplacer("--ring-mode 0666", "ring_mode 0o666", "--ring PATH", "ring in init_config", "--ring", "ring in init_config")

type explained struct {
	text string
	err  error
}

func (e *explained) Error() string { return e.text }
func (e *explained) Unwrap() error { return e.err }

// Rings is the JSON text of the rings that there are: in /dev/shm, or in the
// directory of the configuration.
func (p *Plugin) Rings() (string, error) {
	dir := p.cfg.Dir
	if dir == "" {
		dir = "/dev/shm"
	}
	names, err := ringsIn(dir)
	if err != nil {
		return "", err
	}
	list := []openParam{}
	for _, name := range names {
		state := "nobody reads it"
		c, err := shm.Inspect(shm.Config{Prefix: name, Mode: 0o666})
		switch {
		case err != nil:
			state = explain(err).Error()
		case !c.Exists: // half of it is there
			continue
		case c.Reader != 0 && !c.Unseen:
			state = fmt.Sprintf("process %d reads it", c.Reader)
		}
		list = append(list, openParam{name, state})
	}
	return marshal(list), nil
}

// forget is told of an instance that was closed.
func (p *Plugin) forget(i *Instance, s event.Stats) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n, other := range p.instances {
		if other == i {
			p.instances = append(p.instances[:n], p.instances[n+1:]...)
			break
		}
	}
	add(&p.gone, &s)
}

// add sums up what became of records.
func add(to, s *event.Stats) {
	to.Seen += s.Seen
	to.Delivered += s.Delivered
	for cause, n := range s.Lost {
		to.Lost[cause] += n
	}
}

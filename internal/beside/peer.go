package beside

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/sensor/source"
	"github.com/pdig/pdig/shm"
)

// Peer is the tracer as its sensor sees it.
type Peer struct {
	ring   string
	socket int
	asked  atomic.Uint32 // questions whether all is out
}

// Join takes the arguments that the tracer has added to those of the sensor. It
// returns the others.
func Join(args []string) (*Peer, []string, error) {
	n := len(args) - 2
	if n < 0 || !strings.HasPrefix(args[n], "fd:") {
		return nil, nil, errors.New("a sensor beside a tracer is started by that only")
	}
	socket, err := strconv.ParseUint(args[n+1], 10, 31)
	if err != nil {
		return nil, nil, fmt.Errorf("socket of the tracer: %w", err)
	}
	p := &Peer{ring: args[n], socket: int(socket)}
	for _, fd := range p.Descriptors() {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
			return nil, nil, fmt.Errorf("descriptor %d of the tracer: %w", fd, err)
		}
	}
	return p, args[:n], nil
}

// Descriptors are what the tracer has handed over.
func (p *Peer) Descriptors() []int {
	fds := []int{p.socket}
	for word := range strings.SplitSeq(strings.TrimPrefix(p.ring, "fd:"), ",") {
		if fd, err := strconv.Atoi(word); err == nil {
			fds = append(fds, fd)
		}
	}
	return fds
}

// Open begins to read the ring, tells the tracer, and returns a source that
// answers its questions. Prefix, Size and Mode of cfg are not used. The context is
// canceled when the tracer wants no more.
func (p *Peer) Open(cfg shm.ConsumerConfig) (*Source, context.Context, error) {
	cfg.Prefix = p.ring
	c, err := shm.NewConsumer(cfg)
	if err != nil {
		return nil, nil, err
	}
	if err := p.say(wordReads); err != nil {
		return nil, nil, errors.Join(err, c.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		p.listen()
	}()
	return &Source{Consumer: c, peer: p}, ctx, nil
}

func (p *Peer) say(word byte) error {
	if err := unix.Sendto(p.socket, []byte{word}, unix.MSG_NOSIGNAL, nil); err != nil {
		return fmt.Errorf("socket of the tracer: %w", err)
	}
	return nil
}

// listen reads what the tracer says until it says no more.
func (p *Peer) listen() {
	var b [1]byte
	for {
		n, err := unix.Read(p.socket, b[:])
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil || n == 0:
			return
		case b[0] == wordFlush:
			p.asked.Add(1)
		}
	}
}

// Source is the ring, as a source of the sensor.
type Source struct {
	*shm.Consumer
	peer     *Peer
	answered uint32 // questions
	quiet    uint32 // questions that the sensor was told of
}

// Next is that of the consumer. Who uses it writes out what he has when the error
// is [source.ErrAsked], and calls again: then the tracer is told.
func (s *Source) Next() ([]byte, error) {
	if s.quiet != s.answered {
		s.answered = s.quiet
		_ = s.peer.say(wordFlush) // a tracer that is gone asks no more
	}
	asked := s.peer.asked.Load()
	if asked != s.answered && s.caughtUp() {
		s.quiet = asked
		return nil, source.ErrAsked
	}
	rec, err := s.Consumer.Next()
	if asked != s.answered && errors.Is(err, os.ErrDeadlineExceeded) {
		s.quiet, err = asked, source.ErrAsked
	}
	return rec, err
}

// caughtUp reports whether all that was put into the ring has been read.
func (s *Source) caughtUp() bool {
	stats := s.Stats()
	return stats.Delivered+stats.LostTotal() >= stats.Seen
}

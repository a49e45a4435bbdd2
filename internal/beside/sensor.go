package beside

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/shm"
)

// Config is how the sensor is started.
type Config struct {
	// Path is its program, Args are the arguments from the program's name on.
	// Behind them come those that [Join] takes.
	Path string
	Args []string
	// RingSize is that of the ring, as in [shm.Config.Size].
	RingSize int
	// Output opens what the sensor writes to as its standard output. It is asked
	// at every start: what was opened before may have another end no more.
	Output func() (*os.File, error)
	// Words is the sensor's standard error; nil is nowhere.
	Words *os.File
	Log   zerolog.Logger
}

// drainTime is for the sensor to show what is left.
const drainTime = 5 * time.Second

// Sensor is a sensor as its tracer sees it.
type Sensor struct {
	cfg     Config
	ring    *shm.Private
	reads   chan struct{} // closed when the first one reads the ring
	flushed chan bool     // takes the answers; false: it is gone
	wake    chan struct{} // closed when ending is set
	ended   chan struct{} // closed when there is none any more

	mu     sync.Mutex
	socket int // to the sensor, open while mu is held; -1: there is none
	ending bool
}

// Start starts a sensor and keeps one there until [Sensor.End]. The error is for
// what another try would not cure.
func Start(cfg Config) (*Sensor, error) {
	ring, err := shm.NewPrivate(cfg.RingSize)
	if err != nil {
		return nil, err
	}
	s := &Sensor{
		cfg: cfg, ring: ring, socket: -1,
		reads: make(chan struct{}), flushed: make(chan bool, 1),
		wake: make(chan struct{}), ended: make(chan struct{}),
	}
	go s.keep()
	return s, nil
}

// Producer opens the ring for writing.
func (s *Sensor) Producer(cfg shm.ProducerConfig) (*shm.Producer, error) {
	return s.ring.Producer(cfg)
}

// Await waits until the sensor reads, at most for the given time or until over
// says that nobody waits any more. A negative time is for ever. It reports whether
// the sensor reads.
func (s *Sensor) Await(wait time.Duration, over func() bool) bool {
	const look = 20 * time.Millisecond
	for start := time.Now(); wait < 0 || time.Since(start) < wait; {
		select {
		case <-s.reads:
			return true
		case <-time.After(look):
			if over() {
				return false
			}
		}
	}
	return false
}

// keep has a sensor run. The thread stays locked: a sensor is a child of the thread
// that has started it, and none of the one that waits for its tracees.
func (s *Sensor) keep() {
	runtime.LockOSThread()
	defer close(s.ended)
	for r := (restarts{}); ; {
		began := time.Now()
		err := s.run(r.words(s.cfg.Words))
		select {
		case <-s.wake:
			return
		default:
		}
		pause, news := r.after(time.Since(began), err)
		level := zerolog.DebugLevel
		if news {
			level = zerolog.ErrorLevel
		}
		s.cfg.Log.WithLevel(level).Err(err).Dur("pause", pause).Msg("nobody sees the events: the sensor is started again")
		select {
		case <-time.After(pause):
		case <-s.wake:
			return
		}
	}
}

// run starts a sensor and returns why there is none any more.
func (s *Sensor) run(words *os.File) error {
	socket, pid, err := s.start(words)
	if err != nil {
		return fmt.Errorf("sensor: %w", err)
	}
	s.mu.Lock()
	s.socket = socket
	if s.ending { // End has found no socket
		s.sayNoMore()
	}
	s.mu.Unlock()
	s.listen(socket)
	s.mu.Lock()
	s.socket = -1
	unix.Close(socket)
	s.answer(false)
	s.mu.Unlock()
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("sensor: it has ended: %w", err)
		}
		break
	}
	if status.Signaled() {
		return fmt.Errorf("sensor: ended by signal %d (%v)", status.Signal(), status.Signal())
	}
	return fmt.Errorf("sensor: ended with status %d", status.ExitStatus())
}

// start starts the program with the ring, the other end of a socket, and no other
// descriptor of the tracer's own.
func (s *Sensor) start(words *os.File) (socket, pid int, err error) {
	output, err := s.cfg.Output()
	if err != nil {
		return -1, 0, err
	}
	defer output.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return -1, 0, err
	}
	defer null.Close()
	if words == nil {
		words = null
	}
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, 0, fmt.Errorf("socketpair: %w", err)
	}
	defer unix.Close(ends[1])
	args := append(append([]string{}, s.cfg.Args...), s.ring.Prefix(), strconv.Itoa(ends[1]))
	err = s.ring.HandOver(func() (err error) {
		if _, err := unix.FcntlInt(uintptr(ends[1]), unix.F_SETFD, 0); err != nil {
			return fmt.Errorf("fcntl: %w", err)
		}
		pid, err = syscall.ForkExec(s.cfg.Path, args, &syscall.ProcAttr{
			Dir: "/", Env: os.Environ(), Files: []uintptr{null.Fd(), output.Fd(), words.Fd()},
		})
		if err != nil {
			return fmt.Errorf("exec of %s: %w", s.cfg.Path, err)
		}
		return nil
	})
	if err != nil && pid <= 0 {
		unix.Close(ends[0])
		return -1, 0, err
	}
	return ends[0], pid, nil
}

// listen reads what the sensor says until it is gone.
func (s *Sensor) listen(socket int) {
	var b [1]byte
	for {
		n, err := unix.Read(socket, b[:])
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil || n == 0:
			return
		case b[0] == wordReads:
			select {
			case <-s.reads:
			default:
				close(s.reads)
			}
		case b[0] == wordFlush:
			s.answer(true)
		}
	}
}

// answer is for who waits for one, if somebody does.
func (s *Sensor) answer(flushed bool) {
	select {
	case s.flushed <- flushed:
	default:
	}
}

// ask asks the sensor whether all is out. It reports whether there is one.
func (s *Sensor) ask() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.flushed: // the answer to an earlier question
	default:
	}
	return s.socket >= 0 && unix.Sendto(s.socket, []byte{wordFlush}, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT, nil) == nil
}

// sayNoMore tells the sensor to show what is left and to end.
func (s *Sensor) sayNoMore() { _ = unix.Shutdown(s.socket, unix.SHUT_WR) }

// Flush waits until all is out that is in the ring, for some seconds at most, and
// reports whether it is.
func (s *Sensor) Flush() bool {
	if !s.ask() {
		return false
	}
	select {
	case flushed := <-s.flushed:
		return flushed
	case <-time.After(drainTime):
		return false
	}
}

// End lets the sensor show what is left and end. It waits for that, for some
// seconds at most, and reports whether it was seen.
func (s *Sensor) End() bool {
	s.mu.Lock()
	if !s.ending {
		s.ending = true
		close(s.wake)
		if s.socket >= 0 {
			s.sayNoMore()
		}
	}
	s.mu.Unlock()
	select {
	case <-s.ended:
		return true
	case <-time.After(drainTime):
		return false
	}
}

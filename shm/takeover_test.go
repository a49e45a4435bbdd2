package shm

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/procfs"
)

// sleeper is a process that lives until the end of the test.
func sleeper(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	start(t, cmd)
	return cmd
}

// dead is the pid of a process that has ended.
func deadPID(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("true")
	must(t, cmd.Run())
	return cmd.Process.Pid
}

// zombie is a process that has ended and is not collected before the test has.
func zombie(t *testing.T) int {
	t.Helper()
	cmd := sleeper(t)
	must(t, cmd.Process.Kill())
	for {
		st, err := procfs.ReadStat("/proc", cmd.Process.Pid)
		must(t, err)
		if st.Dead() {
			return cmd.Process.Pid
		}
		time.Sleep(time.Millisecond)
	}
}

func TestTakeOver(t *testing.T) {
	other := sleeper(t).Process.Pid
	self, _ := look(int32(os.Getpid()))
	otherStart, _ := look(int32(other))
	for name, tt := range map[string]struct {
		pid   int    // that captures
		ext   int    // the consumer of the extension, 0 for none
		start uint64 // likewise
		busy  bool
	}{
		"nobody":                          {},
		"dead":                            {pid: deadPID(t)},
		"dead, ours":                      {pid: deadPID(t), ext: deadPID(t), start: 5},
		"zombie":                          {pid: zombie(t)},
		"living":                          {pid: other, busy: true},
		"living, ours":                    {pid: other, ext: other, start: otherStart, busy: true},
		"living, and a dead one of ours":  {pid: other, ext: deadPID(t), start: 5, busy: true},
		"pid used again":                  {pid: other, ext: other, start: otherStart - 1},
		"this process, by another of old": {pid: os.Getpid()},
		"this pid, of an earlier process": {pid: os.Getpid(), ext: os.Getpid(), start: self - 1},
		"this process":                    {pid: os.Getpid(), ext: os.Getpid(), start: self, busy: true},
		"nonsense":                        {pid: -7},
		"never a pid":                     {pid: 1 << 30},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := small(testRing(t))
			r, err := cfg.open(opening{})
			must(t, err)
			defer r.unmap()
			r.capturing.Store(uint32(tt.pid))
			if tt.ext != 0 {
				r.magic.Store(extMagic)
				r.version.Store(extVersion)
				r.consumed.Store(uint32(tt.ext))
				r.start.Store(tt.start)
			}
			r.head.Store(100)
			r.tail.Store(50)
			r.evts.Store(1)
			r.full.Store(2)
			r.faults.Store(3)
			r.stopped.Store(0)
			for i := range r.settings {
				r.settings[i] = 0xff
			}
			var log bytes.Buffer
			c, err := NewConsumer(ConsumerConfig{Config: cfg, Log: zerolog.New(&log)})
			if tt.busy {
				var busy *BusyError
				if !errors.Is(err, ErrBusy) || !errors.As(err, &busy) || busy.PID != tt.pid {
					t.Errorf("got %v, want ErrBusy with pid %d", err, tt.pid)
				}
				if r.head.Load() != 100 || r.capturing.Load() != uint32(tt.pid) || r.stopped.Load() != 0 {
					t.Error("the ring of the living was touched")
				}
				return
			}
			must(t, err)
			if said := strings.Contains(log.String(), "taken over from a dead consumer"); said != (tt.pid != 0) {
				t.Errorf("log: %s", &log)
			}
			if r.head.Load() != 0 || r.tail.Load() != 0 || r.evts.Load() != 0 || r.full.Load() != 0 || r.faults.Load() != 0 {
				t.Error("cursors and counters were not reset")
			}
			if r.capturing.Load() != uint32(os.Getpid()) || r.stopped.Load() != 0 {
				t.Errorf("pid %d, stopped %d", r.capturing.Load(), r.stopped.Load())
			}
			if !r.extension(int32(os.Getpid()), self) {
				t.Error("no extension of ours")
			}
			settings := make([]byte, 40)
			settings[0], settings[4], settings[36], settings[37] = 80, 1, 0xbd, 0x1f
			if !bytes.Equal(r.settings, settings) {
				t.Errorf("settings %x, want %x", r.settings, settings)
			}
			must(t, c.Close())
			if r.capturing.Load() != 0 || r.start.Load() != 0 {
				t.Error("after Close the capture goes on")
			}
		})
	}
}

func TestBusyText(t *testing.T) {
	c := newConsumer(t, small(testRing(t)))
	_, err := NewConsumer(ConsumerConfig{Config: Config{Prefix: c.name}})
	want := "ring " + c.name + ": another consumer reads the ring: pid "
	if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), ": end it, or use another --ring") {
		t.Errorf("got %v, want %s…", err, want)
	}
}

// TestTakenOver: a consumer notices that it is none any more.
func TestTakenOver(t *testing.T) {
	c, p := newPair(t, small(testRing(t)))
	p.Write(record(1, 1, 40), Normal)
	if _, err := next(c); err != nil {
		t.Fatal(err)
	}
	c.capturing.Store(1)
	for range 2 {
		if _, err := next(c); !errors.Is(err, ErrTakenOver) {
			t.Errorf("got %v, want ErrTakenOver", err)
		}
	}
	must(t, c.Close())
	if p.capturing.Load() != 1 {
		t.Error("Close has ended the capture of another")
	}
}

// TestReaderDies: a producer stops for a reader whose death it has seen.
func TestReaderDies(t *testing.T) {
	cfg := small(testRing(t))
	c, p := newPair(t, cfg)
	reader := sleeper(t)
	c.capturing.Store(uint32(reader.Process.Pid))
	if !p.Active() {
		t.Fatal("not active for a living reader")
	}
	must(t, reader.Process.Kill())
	p.lookNow.Store(true)
	for start := time.Now(); p.Active(); p.lookNow.Store(true) {
		if time.Since(start) > 10*time.Second {
			t.Fatal("active for a dead reader")
		}
	}
	if p.Write(record(1, 1, 40), Vital) {
		t.Error("a record was written for a dead reader")
	}
	p.lookNow.Store(true)
	if p.Active() {
		t.Error("active at the second look")
	}
	// One that was never seen alive may be in another pid namespace.
	c.capturing.Store(1 << 30)
	if !p.Active() {
		t.Error("not active for a reader that cannot be seen")
	}
	p.lookNow.Store(true)
	if !p.Active() {
		t.Error("not active at the second look")
	}
}

// TestLock: the lock of a dead producer is taken, that of a living one is
// waited for, but not for ever.
func TestLock(t *testing.T) {
	other := sleeper(t).Process.Pid
	otherStart, _ := look(int32(other))
	lock := func(pid int, start uint64) uint64 { return lockWord(int32(pid), start) }
	for name, tt := range map[string]struct {
		owner uint64
		taken bool
	}{
		"dead":           {lock(deadPID(t), 1), true},
		"zombie":         {lock(zombie(t), 0), true},
		"pid used again": {lock(other, otherStart+1), true},
		"nonsense":       {1 << 63, true},
		"living":         {lock(other, otherStart), false},
		"living, of old": {lock(other, 0), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, p := newPair(t, small(testRing(t)))
			p.Active()
			p.lock.Store(tt.owner)
			begin := time.Now()
			if got := p.Write(record(1, 1, 40), Normal); got != tt.taken {
				t.Fatalf("written: %v, want %v", got, tt.taken)
			}
			if tt.taken {
				if p.lock.Load() != 0 {
					t.Errorf("the lock is %#x afterwards", p.lock.Load())
				}
				return
			}
			if took := time.Since(begin); took < lockWait {
				t.Errorf("gave up after %v, want at least %v", took, lockWait)
			}
			begin = time.Now()
			for range 5 {
				p.Write(record(1, 2, 40), Normal)
			}
			if took := time.Since(begin); took > lockWait {
				t.Errorf("was held again: %v", took)
			}
			if p.lock.Load() != tt.owner {
				t.Error("the lock was taken from a living producer")
			}
			p.lock.Store(0)
			if !p.Write(record(1, 3, 40), Normal) {
				t.Error("not written after the lock was free again")
			}
			if s := c.Stats(); s.Lost[event.CauseLock] != 6 {
				t.Errorf("lost %v, want 6 that were locked out", s.Lost)
			}
		})
	}
}

// TestPulse: a reader of ours learns which producer there is, and that it lives.
func TestPulse(t *testing.T) {
	cfg := small(testRing(t))
	var log bytes.Buffer
	c, err := NewConsumer(ConsumerConfig{Config: cfg, Log: zerolog.New(&log)})
	must(t, err)
	p := newProducer(t, ProducerConfig{Config: cfg})
	begin := uint64(time.Now().UnixNano())
	p.Active()
	first := c.heartbeat.Load()
	if c.page.producer.Load() != uint32(os.Getpid()) || first < begin {
		t.Errorf("producer %d, heartbeat %d", c.page.producer.Load(), first)
	}
	for c.heartbeat.Load() == first {
		if uint64(time.Now().UnixNano())-begin > uint64(10*pulseEvery) {
			t.Fatal("no second heartbeat")
		}
		if _, err := c.Next(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	}
	if n := strings.Count(log.String(), "producer connected"); n != 1 {
		t.Errorf("said %d times that a producer has come: %s", n, &log)
	}
	must(t, p.Close())
	if pid := c.page.producer.Load(); pid != 0 {
		t.Errorf("the producer has gone, but is still said to be %d", pid)
	}
	must(t, c.Close())
}

func init() {
	roles["begin"] = func(args []string) error {
		fmt.Println("ready")
		stdin := bufio.NewReader(os.Stdin)
		if _, err := stdin.ReadString('\n'); err != nil {
			return err
		}
		c, err := NewConsumer(ConsumerConfig{Config: small(args[0])})
		var busy *BusyError
		switch {
		case errors.As(err, &busy):
			fmt.Println("busy")
			return nil
		case err != nil:
			return err
		}
		fmt.Println("begun", os.Getpid())
		_, _ = stdin.ReadString('\n') // until all have tried
		return c.Close()
	}
}

// TestBeginRace lets processes become the consumer at once: one does.
func TestBeginRace(t *testing.T) {
	const processes, rounds = 8, 4
	prefix := testRing(t)
	for round := range rounds {
		cfg := small(prefix)
		r, err := cfg.open(opening{})
		must(t, err)
		if round > 0 {
			r.capturing.Store(uint32(deadPID(t))) // to be taken over
		}
		stdin, out := make([]*os.File, processes), make([]*bufio.Reader, processes)
		for i := range out {
			cmd := helper("begin", prefix)
			from, to, err := os.Pipe()
			must(t, err)
			cmd.Stdin, stdin[i] = from, to
			out[i] = bufio.NewReader(start(t, cmd))
			must(t, from.Close())
			_, err = out[i].ReadString('\n')
			must(t, err)
		}
		for _, w := range stdin {
			_, err := w.WriteString("\n")
			must(t, err)
		}
		said := map[string]int{}
		for _, o := range out {
			line, err := o.ReadString('\n')
			must(t, err)
			said[line]++
		}
		begun := fmt.Sprintln("begun", int32(r.capturing.Load()))
		if said[begun] != 1 || said["busy\n"] != processes-1 {
			t.Errorf("%q captures, but the processes said %v", begun, said)
		}
		if r.stopped.Load() != 0 {
			t.Error("the gate is closed")
		}
		for i, w := range stdin {
			must(t, w.Close())
			_, _ = out[i].ReadString('\n') // its end
		}
		if r.capturing.Load() != 0 {
			t.Error("the capture goes on")
		}
		r.unmap()
	}
}

// rounds is how often a race is tried.
func rounds(n int) int {
	if testing.Short() {
		return n / 10
	}
	return n
}

// TestGateWhileBeginning: nobody finds the gate open before the ring is reset.
func TestGateWhileBeginning(t *testing.T) {
	cfg := small(testRing(t))
	r, err := cfg.open(opening{})
	must(t, err)
	defer r.unmap()
	const old = 1 << 20
	var round atomic.Uint32 // odd while a consumer begins
	stop, done := make(chan struct{}), make(chan int)
	go func() {
		early := 0
		for {
			select {
			case <-stop:
				done <- early
				return
			default:
			}
			before := round.Load()
			open := r.capturing.Load() != 0 && r.stopped.Load() == 0
			if open && r.evts.Load() == old && before%2 == 1 && round.Load() == before {
				early++
			}
		}
	}()
	for range rounds(500) {
		r.evts.Store(old)
		round.Add(1)
		c, err := NewConsumer(ConsumerConfig{Config: cfg})
		round.Add(1)
		must(t, err)
		must(t, c.Close())
	}
	close(stop)
	if early := <-done; early != 0 {
		t.Errorf("%d times the gate was open before the ring was reset", early)
	}
}

// TestReset: a record that is being written while a reader begins does not
// bring back what was before it.
func TestReset(t *testing.T) {
	c, p := newPair(t, small(testRing(t)))
	p.Active()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		var rec []byte
		for seq := uint64(1); ; seq++ {
			select {
			case <-stop:
				return
			default:
				rec = appendRecord(rec[:0], 1, seq, 3000)
				p.Write(rec, Normal)
			}
		}
	}()
	defer func() { close(stop); <-done }()
	var last uint64
	for n := range rounds(6000) {
		var rec []byte
		for rec = c.take(); rec == nil; rec = c.take() {
			c.load() // without the pauses of Next
		}
		_, seq, err := number(rec)
		must(t, err)
		if seq <= last {
			t.Fatalf("record %d after %d", seq, last)
		}
		last = seq
		if n%2 == 0 { // what begin does
			for c.take() != nil {
			}
			c.n, c.at, c.pos, c.end, c.freed = 0, 0, 0, 0, 0
			c.head.Store(0)
			c.tail.Store(0)
		}
	}
	if s := c.Stats(); s.Lost[event.CauseCorrupt] != 0 {
		t.Errorf("lost %v", s.Lost)
	}
}

func init() {
	roles["lockword"] = func([]string) error {
		_, err := fmt.Printf("%#x", lockWord(1, 1))
		return err
	}
}

// TestLockWord: processes of two pid namespaces with the same pid and the same
// start time do not take each other's lock for their own.
func TestLockWord(t *testing.T) {
	cmd := helper("lockword")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWUSER}
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("no pid namespace to be had: %v", err)
	}
	if own := fmt.Sprintf("%#x", lockWord(1, 1)); string(out) == own {
		t.Errorf("both are %s", own)
	}
}

package shm

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pdig/pdig/event"
)

func init() {
	// A producer that writes numbered records: to a prefix, as number id, from
	// number first on, n of them, and then tells how many it has written.
	roles["produce"] = func(args []string) error {
		var v [3]uint64
		for i := range v {
			var err error
			if v[i], err = strconv.ParseUint(args[1+i], 10, 64); err != nil {
				return err
			}
		}
		id, first, n := v[0], v[1], v[2]
		cfg := ProducerConfig{Config: Config{Prefix: args[0]}, Block: args[4] == "block"}
		p, err := NewProducer(cfg)
		if err != nil {
			return err
		}
		for !p.Active() {
			time.Sleep(time.Millisecond)
		}
		var wrote uint64
		var rec []byte
		for seq := first; seq < first+n; seq++ {
			rec = appendRecord(rec[:0], id, seq, sizeOf(seq))
			for !p.Active() {
				time.Sleep(100 * time.Microsecond) // the reader is being started anew
			}
			if p.Write(rec, Normal) {
				wrote++
			}
		}
		fmt.Println(wrote)
		return p.Close()
	}
	// A reader that checks every record, until it is killed.
	roles["consume"] = func(args []string) error {
		c, err := NewConsumer(ConsumerConfig{Config: Config{Prefix: args[0]}})
		if err != nil {
			return err
		}
		fmt.Println("begun")
		check := newChecker()
		for {
			rec, err := c.Next()
			if errors.Is(err, os.ErrDeadlineExceeded) {
				continue
			}
			if err == nil {
				err = check.record(rec)
			}
			if err == nil {
				if s := c.Stats(); s.Lost[event.CauseCorrupt]+s.Lost[event.CauseRing] != 0 {
					err = fmt.Errorf("lost %v", s.Lost)
				}
			}
			if err != nil {
				return err
			}
		}
	}
}

// checker holds records to their contents and to the order of each producer.
type checker struct {
	last  map[uint64]uint64 // number of the last record by producer
	count map[uint64]uint64
	gaps  uint64 // numbers that did not come
}

func newChecker() *checker {
	return &checker{last: map[uint64]uint64{}, count: map[uint64]uint64{}}
}

func (c *checker) record(rec []byte) error {
	id, seq, err := number(rec)
	if err != nil {
		return err
	}
	last, ok := c.last[id]
	if ok && seq <= last {
		return fmt.Errorf("producer %d: record %d after %d", id, seq, last)
	}
	if ok {
		c.gaps += seq - last - 1
	}
	c.last[id] = seq
	c.count[id]++
	return nil
}

func produce(prefix string, id, first, n uint64, full string) *exec.Cmd {
	return helper("produce", prefix, fmt.Sprint(id), fmt.Sprint(first), fmt.Sprint(n), full)
}

// TestManyRecords sends ten million records through the smallest ring.
func TestManyRecords(t *testing.T) {
	n := uint64(10_000_000)
	if testing.Short() {
		n /= 20
	}
	c, p := newPair(t, small(memoryRing(t)))
	p.cfg.Block = true
	done := make(chan struct{})
	go func() {
		defer close(done)
		rec := record(1, 0, 40)
		for seq := range n {
			rec = appendRecord(rec[:0], 1, seq, 34+int(seq%13))
			if !p.Write(rec, Normal) {
				t.Errorf("record %d not written", seq)
				return
			}
		}
	}()
	want := make([]byte, 0, 64)
	for seq := range n {
		rec, err := next(c)
		if err != nil {
			t.Fatalf("record %d: %v", seq, err)
		}
		want = appendRecord(want[:0], 1, seq, 34+int(seq%13))
		if string(rec) != string(want) {
			t.Fatalf("record %d: got %x, want %x", seq, rec, want)
		}
	}
	<-done
	if diff := cmp.Diff(event.Stats{Seen: n, Delivered: n}, c.Stats()); diff != "" {
		t.Errorf("stats: want -, got +:\n%s", diff)
	}
}

// TestProducers lets processes write into one ring. All that they have
// written arrives, in the order of each, and all else is counted.
func TestProducers(t *testing.T) {
	n := uint64(300_000)
	if testing.Short() {
		n /= 10
	}
	for _, tt := range []struct {
		producers uint64
		full      string
	}{{2, "block"}, {2, "drop"}, {4, "block"}, {4, "drop"}} {
		t.Run(fmt.Sprint(tt.producers, " ", tt.full), func(t *testing.T) {
			cfg := small(memoryRing(t))
			c := newConsumer(t, cfg)
			var outs []io.Reader
			for id := range tt.producers {
				outs = append(outs, start(t, produce(cfg.Prefix, id, 0, n, tt.full)))
			}
			wrote := make(chan uint64, len(outs))
			for _, out := range outs {
				go func() {
					line, _ := bufio.NewReader(out).ReadString('\n')
					got, _ := strconv.ParseUint(line[:max(len(line)-1, 0)], 10, 64)
					wrote <- got
				}()
			}
			check := newChecker()
			var sum uint64
			for ended, quiet := 0, 0; ended < len(outs) || quiet < 3; {
				select {
				case got := <-wrote:
					sum += got
					ended++
				default:
				}
				rec, err := c.Next()
				switch {
				case err == nil:
					quiet = 0
					must(t, check.record(rec))
				case errors.Is(err, os.ErrDeadlineExceeded):
					quiet++
				default:
					t.Fatal(err)
				}
			}
			s := c.Stats()
			var got uint64
			for _, n := range check.count {
				got += n
			}
			if got != sum || s.Delivered != sum {
				t.Errorf("%d records arrived, %d delivered, want %d that were written", got, s.Delivered, sum)
			}
			all := tt.producers * n
			// A producer that is not scheduled while it holds the lock makes the
			// others drop: that is no full ring, and as good a cause.
			locked := s.Lost[event.CauseLock]
			want := event.Stats{Seen: all, Delivered: sum, Lost: lostOnly(event.CauseRingFull, all-sum-locked)}
			want.Lost[event.CauseLock] = locked
			if tt.full == "block" {
				want = event.Stats{Seen: all, Delivered: all}
			}
			if diff := cmp.Diff(want, s); diff != "" {
				t.Errorf("stats: want -, got +:\n%s", diff)
			}
		})
	}
}

// duration of the tests that kill processes at random.
func stormFor() time.Duration {
	if testing.Short() {
		return time.Second
	}
	return 3 * time.Second
}

// TestProducersKilled kills and restarts two producers at random moments. What
// arrives is whole and in order; what does not is counted, within the one
// record that each was writing.
func TestProducersKilled(t *testing.T) {
	cfg := small(memoryRing(t))
	c := newConsumer(t, cfg)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	kills := 0
	for id := range uint64(2) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for life := uint64(0); ; life++ {
				select {
				case <-stop:
					return
				default:
				}
				cmd := produce(cfg.Prefix, id, life<<32, 1<<32, "block")
				if err := cmd.Start(); err != nil {
					t.Error(err)
					return
				}
				lives := time.Duration(5+rand.IntN(60)) * time.Millisecond
				if life%4 == 3 {
					lives += 6 * lockLook // enough to find that an owner of the lock is dead
				}
				time.Sleep(lives)
				_ = cmd.Process.Kill()
				time.Sleep(time.Duration(rand.IntN(5)) * time.Millisecond) // a zombie meanwhile
				_ = cmd.Wait()
				mu.Lock()
				kills++
				mu.Unlock()
			}
		}()
	}
	check := newChecker()
	read := func() bool {
		rec, err := c.Next()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return false
		}
		must(t, err)
		must(t, check.record(rec))
		return true
	}
	// Most producers are killed before they could take the lock from a dead one.
	enough := func() bool { return c.Stats().Delivered >= 1000 }
	for begin := time.Now(); time.Since(begin) < stormFor() || !enough() && time.Since(begin) < 30*time.Second; {
		read()
	}
	close(stop)
	wg.Wait()
	for quiet := 0; quiet < 3; {
		if read() {
			quiet = 0
		} else {
			quiet++
		}
	}
	s := c.Stats()
	checkSum(t, s)
	if s.Delivered < 1000 || kills < 10 {
		t.Errorf("only %d records and %d kills", s.Delivered, kills)
	}
	if lost := s.LostTotal(); lost != s.Lost[event.CauseVanished] || lost > uint64(kills) {
		t.Errorf("%d kills, lost %v", kills, s.Lost)
	}
	// The rings that are left work.
	p := newProducer(t, ProducerConfig{Config: cfg})
	if !p.Write(record(9, 1, 60), Normal) {
		t.Error("not written afterwards")
	}
	t.Logf("%d records, %d kills, %d of them in the middle of a record", s.Delivered, kills, s.LostTotal())
}

// TestConsumerKilled kills and restarts the reader at random moments while two
// producers write. Every reader sees whole records in order, and no producer
// is held up by a dead one.
func TestConsumerKilled(t *testing.T) {
	cfg := small(memoryRing(t))
	newConsumer(t, cfg).Close()
	for id := range uint64(2) {
		start(t, produce(cfg.Prefix, id, 0, 1<<40, [...]string{"block", "drop"}[id]))
	}
	kills := 0
	for begin := time.Now(); time.Since(begin) < stormFor(); kills++ {
		cmd := helper("consume", cfg.Prefix)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		if line, _ := bufio.NewReader(out).ReadString('\n'); line != "begun\n" {
			t.Fatal("a reader did not begin")
		}
		time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
		_ = cmd.Process.Kill()
		if err := cmd.Wait(); cmd.ProcessState.Exited() {
			t.Fatalf("a reader gave up: %v", err)
		}
	}
	c := newConsumer(t, cfg)
	seen := map[uint64]bool{}
	check := newChecker()
	for begin := time.Now(); len(seen) < 2; {
		rec, err := next(c)
		must(t, err)
		must(t, check.record(rec))
		id, _, _ := number(rec)
		seen[id] = true
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("only producers %v write afterwards", seen)
		}
	}
	t.Logf("%d readers killed", kills)
}

// TestSumAcrossReaders: of every one of many readers, what was tried in its time
// has arrived or is counted, while two producers write and the ring is full.
func TestSumAcrossReaders(t *testing.T) {
	readers := 40
	if testing.Short() {
		readers = 5
	}
	cfg := small(testRing(t))
	must(t, newConsumer(t, cfg).Close())
	for id := range uint64(2) {
		start(t, produce(cfg.Prefix, id, 0, 1<<40, "drop"))
	}
	var full uint64
	for i := range readers {
		c, err := NewConsumer(ConsumerConfig{Config: cfg})
		must(t, err)
		check := newChecker()
		for want := uint64(1 + i*100); c.tally.delivered < want; {
			rec, err := next(c)
			must(t, err)
			must(t, check.record(rec))
		}
		if i%2 == 0 {
			time.Sleep(2 * time.Millisecond)
		}
		must(t, c.Close())
		s := c.Stats()
		checkSum(t, s)
		full += s.Lost[event.CauseRingFull]
		for cause, n := range s.Lost {
			switch cause := event.Cause(cause); cause {
			case event.CauseRingFull, event.CauseUnread:
			case event.CauseVanished, event.CauseReader:
				// What each of the two was writing at the beginning and in the end.
				if n > 4 {
					t.Errorf("reader %d: %d lost: %v", i, n, cause)
				}
			default:
				if n != 0 {
					t.Errorf("reader %d: %d lost: %v", i, n, cause)
				}
			}
		}
	}
	if full == 0 {
		t.Error("the ring was never full")
	}
}

func init() {
	roles["inherit"] = func(args []string) error {
		p, err := NewProducer(ProducerConfig{Config: Config{Prefix: args[0]}})
		if err != nil {
			return err
		}
		for seq := range uint64(100) {
			if !p.Write(record(3, seq, 60), Normal) {
				return fmt.Errorf("record %d not written", seq)
			}
		}
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			return err
		}
		for _, fd := range fds {
			if to, _ := os.Readlink("/proc/self/fd/" + fd.Name()); len(to) > 7 && to[:7] == "/memfd:" {
				return fmt.Errorf("descriptor %s is still %s", fd.Name(), to)
			}
		}
		return p.Close()
	}
	roles["memfds"] = func([]string) error {
		fds, err := os.ReadDir("/proc/self/fd")
		for _, fd := range fds {
			if to, _ := os.Readlink("/proc/self/fd/" + fd.Name()); len(to) > 7 && to[:7] == "/memfd:" {
				return fmt.Errorf("inherited %s", to)
			}
		}
		return err
	}
}

func TestPrivate(t *testing.T) {
	for _, size := range []int{0, smallRing, 1 << 20} {
		ring, err := NewPrivate(size)
		must(t, err)
		c, err := ring.Consumer(ConsumerConfig{})
		must(t, err)
		for _, fd := range []int{ring.buf, ring.descs} {
			f, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", fd), os.O_RDWR, 0)
			must(t, err)
			for _, n := range []int64{0, 1 << 30} {
				if err := f.Truncate(n); !errors.Is(err, os.ErrPermission) {
					t.Errorf("truncate to %d: %v, want EPERM", n, err)
				}
			}
			must(t, f.Close())
		}
		if err := helper("memfds").Run(); err != nil {
			t.Errorf("a child that is not meant to: %v", err)
		}
		cmd := helper("inherit", ring.Prefix())
		must(t, ring.HandOver(cmd.Start))
		must(t, cmd.Wait())
		if err := helper("memfds").Run(); err != nil {
			t.Errorf("a child after that: %v", err)
		}
		must(t, ring.Close())
		check := newChecker()
		for _, rec := range drain(t, c) {
			must(t, check.record(rec))
		}
		if diff := cmp.Diff(event.Stats{Seen: 100, Delivered: 100}, c.Stats()); diff != "" || check.gaps != 0 {
			t.Errorf("%d gaps; stats: want -, got +:\n%s", check.gaps, diff)
		}
		must(t, c.Close())
	}
	ring, err := NewPrivate(0)
	must(t, err)
	wrong := errors.New("no child")
	if err := ring.HandOver(func() error { return wrong }); !errors.Is(err, wrong) {
		t.Errorf("got %v, want %v", err, wrong)
	}
	must(t, ring.Close())
	if _, err := NewPrivate(5000); err == nil {
		t.Error("a ring of 5000 bytes")
	}
}

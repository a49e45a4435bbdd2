package shm

import (
	"encoding/binary"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/pdig/pdig/event"
)

// udigReader reads a ring as libscap does: it resets the cursors before it
// writes its pid, whoever is writing, looks at nothing that only our readers
// know, and releases a batch when it has read all of it.
type udigReader struct {
	r     *ring
	check *checker
	buf   []byte
}

// begin takes over from a reader that was killed, or ends its own capture
// before.
func (u *udigReader) begin(killed bool) {
	r := u.r
	if !killed {
		r.capturing.Store(0)
	}
	r.capturing.Store(0)
	r.head.Store(0)
	r.tail.Store(0)
	r.evts.Store(0)
	r.full.Store(0)
	r.capturing.CompareAndSwap(0, uint32(os.Getpid()))
	r.stopped.Store(0)
	clear(r.settings)
	r.snaplen.Store(80)
	r.ratio.Store(1)
}

// batch reads what is there and returns how many records that were, or what
// libscap calls a corruption.
func (u *udigReader) batch(t *testing.T) (n int) {
	t.Helper()
	r := u.r
	head, tail := r.head.Load(), r.tail.Load()
	left := used(head, tail, r.size)
	u.buf = append(u.buf[:0], make([]byte, left)...)
	copyOut(u.buf, r.data, tail)
	for b := u.buf; len(b) > 0; n++ {
		if len(b) < event.HeaderSize {
			t.Fatalf("%d bytes at the end of a batch of %d", len(b), left)
		}
		size := binary.NativeEndian.Uint32(b[offLen:])
		if size < event.HeaderSize || uint64(size) > uint64(len(b)) {
			t.Fatalf("a record of %d bytes in the rest of %d of a batch of %d from %d", size, len(b), left, tail)
		}
		if err := u.check.record(b[:size]); err != nil {
			t.Fatal(err)
		}
		b = b[size:]
	}
	r.tail.Store(head)
	return n
}

// TestUdigReaderRestarts restarts a reader of udig's own kind under two
// producers in the middle of their work. It never sees anything but whole
// records, in order.
func TestUdigReaderRestarts(t *testing.T) {
	restarts := 300
	if testing.Short() {
		restarts = 50
	}
	for _, layout := range []string{"A", "C"} {
		t.Run(layout, func(t *testing.T) {
			t.Parallel()
			cfg := Config{Prefix: testRing(t)}
			if layout == "C" {
				cfg.Size = smallRing
			}
			r, err := cfg.open(opening{})
			must(t, err)
			defer r.unmap()
			u := &udigReader{r: r}
			for id := range uint64(2) {
				start(t, produce(cfg.Prefix, id, 0, 1<<40, "drop"))
			}
			total := 0
			for i := range restarts {
				u.check = newChecker()
				u.begin(i%2 == 0)
				want := i % 300
				for begin, n := time.Now(), 0; n <= want; {
					n += u.batch(t)
					total += n
					if time.Since(begin) > 10*time.Second {
						t.Fatal("nothing is written after restart " + strconv.Itoa(i))
					}
				}
			}
			t.Logf("%d records", total)
		})
	}
}

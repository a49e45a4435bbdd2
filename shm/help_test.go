package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/pdig/pdig/event"
)

// Offsets in the header of a record: see package event.
const (
	offLen    = 16 // u32
	offType   = 20 // u16
	offParams = 22 // u32
)

// roles are what a copy of the test binary can do instead of the tests.
var roles = map[string]func(args []string) error{}

const roleVariable = "SHM_TEST_ROLE"

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := roles[role](os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// helper is a copy of the test binary in a role.
func helper(role string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stderr = os.Stderr
	return cmd
}

// testRing is the prefix of a ring of this test alone.
func testRing(tb testing.TB) string { return filepath.Join(tb.TempDir(), "ring") }

// memoryRing is a testRing for much traffic, which a disk would want to write
// down, where the machine has a place for that.
func memoryRing(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp(directory, "ring-test-")
	if err != nil {
		return testRing(tb)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "ring")
}

const smallRing = 16 << 10

func small(prefix string) Config { return Config{Prefix: prefix, Size: smallRing} }

func newConsumer(tb testing.TB, cfg Config) *Consumer {
	tb.Helper()
	return newConsumerAs(tb, ConsumerConfig{Config: cfg})
}

func newConsumerAs(tb testing.TB, cfg ConsumerConfig) *Consumer {
	tb.Helper()
	c, err := NewConsumer(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.Close(); err != nil && !errors.Is(err, ErrClosed) {
			tb.Errorf("close of the consumer: %v", err)
		}
	})
	return c
}

func newProducer(tb testing.TB, cfg ProducerConfig) *Producer {
	tb.Helper()
	p, err := NewProducer(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := p.Close(); err != nil && !errors.Is(err, ErrClosed) {
			tb.Errorf("close of the producer: %v", err)
		}
	})
	return p
}

// newPair is a consumer and a producer of a ring.
func newPair(tb testing.TB, cfg Config) (*Consumer, *Producer) {
	tb.Helper()
	c := newConsumer(tb, cfg)
	return c, newProducer(tb, ProducerConfig{Config: cfg})
}

// genericX is an event code that every reader knows, with one parameter here.
const genericX = 1

// appendRecord appends record number seq of a producer, with size bytes
// altogether, all of which follow from the two numbers.
func appendRecord(dst []byte, producer, seq uint64, size int) []byte {
	b := append(dst, make([]byte, size)...)
	rec := b[len(dst):]
	binary.NativeEndian.PutUint64(rec, seq)
	binary.NativeEndian.PutUint64(rec[8:], producer)
	binary.NativeEndian.PutUint32(rec[offLen:], uint32(size))
	binary.NativeEndian.PutUint16(rec[offType:], genericX)
	if size >= minRecord {
		binary.NativeEndian.PutUint32(rec[offParams:], 1)
		binary.NativeEndian.PutUint16(rec[event.HeaderSize:], uint16(size-minRecord))
	}
	for i := minRecord; i < size; i++ {
		rec[i] = byte(seq*31 + producer*7 + uint64(i))
	}
	return b
}

// minRecord is a record with one empty parameter.
const minRecord = event.HeaderSize + 2

func record(producer, seq uint64, size int) []byte { return appendRecord(nil, producer, seq, size) }

// number returns who wrote a record and its number, if the record is whole.
func number(rec []byte) (producer, seq uint64, err error) {
	seq, producer = binary.NativeEndian.Uint64(rec), binary.NativeEndian.Uint64(rec[8:])
	if want := record(producer, seq, len(rec)); string(rec) != string(want) {
		return producer, seq, fmt.Errorf("record %d of producer %d: got %x, want %x", seq, producer, rec, want)
	}
	return producer, seq, nil
}

// sizeOf varies the sizes of records.
func sizeOf(seq uint64) int { return minRecord + int(seq*seq%97) }

// next waits for a record.
func next(c *Consumer) ([]byte, error) {
	for start := time.Now(); time.Since(start) < 10*time.Second; {
		rec, err := c.Next()
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return rec, err
		}
	}
	return nil, errors.New("no record for 10 s")
}

// drain reads until the ring is quiet for good, and returns the records.
func drain(tb testing.TB, c *Consumer) (recs [][]byte) {
	tb.Helper()
	for quiet := 0; quiet < 3; {
		rec, err := c.Next()
		switch {
		case err == nil:
			recs, quiet = append(recs, append([]byte(nil), rec...)), 0
		case errors.Is(err, os.ErrDeadlineExceeded):
			quiet++
		default:
			tb.Fatal(err)
		}
	}
	return recs
}

// checkSum holds the numbers of a quiet ring to what Stats promises.
func checkSum(tb testing.TB, s event.Stats) {
	tb.Helper()
	if s.Seen != s.Delivered+s.LostTotal() {
		tb.Errorf("seen %d, but delivered %d and lost %d: %v", s.Seen, s.Delivered, s.LostTotal(), s.Lost)
	}
}

// lostOnly is the losses of one cause.
func lostOnly(cause event.Cause, n uint64) (lost [event.NumCauses]uint64) {
	lost[cause] = n
	return lost
}

// start runs a helper, and ends it with the test.
func start(tb testing.TB, cmd *exec.Cmd) io.ReadCloser {
	tb.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return out
}

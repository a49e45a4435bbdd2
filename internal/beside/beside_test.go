package beside

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/testrecord"
	"github.com/pdig/pdig/sensor/source"
	"github.com/pdig/pdig/shm"
	"github.com/pdig/pdig/syscalls"
)

// TestSource: a question is answered when what was in the ring before it has been read
// and whoever reads has been told that nothing more came.
func TestSource(t *testing.T) {
	ring, err := shm.NewPrivate(0)
	if err != nil {
		t.Fatal(err)
	}
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	tracer := os.NewFile(uintptr(ends[0]), "tracer")
	defer tracer.Close()
	defer unix.Close(ends[1])
	// The consumer takes the descriptors of the ring, as it does in a process of its own.
	peer, rest, err := Join([]string{"--json", ring.Prefix(), strconv.Itoa(ends[1])})
	if err != nil || len(rest) != 1 || rest[0] != "--json" {
		t.Fatalf("Join: %q, %v", rest, err)
	}
	producer, err := ring.Producer(shm.ProducerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	src, ctx, err := peer.Open(shm.ConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	wantWord(t, tracer, wordReads)

	rec := testrecord.Make(t, 1, 1, syscalls.GenericE, 5, 39)
	if !producer.Active() || !producer.Write(rec, shm.Normal) {
		t.Fatal("nobody reads")
	}
	if _, err := tracer.Write([]byte{wordFlush}); err != nil {
		t.Fatal(err)
	}
	for peer.asked.Load() == 0 { // it comes by another goroutine
		runtime.Gosched()
	}
	if got, err := src.Next(); err != nil || !bytes.Equal(got, rec) {
		t.Fatalf("Next: %x, %v, want the record", got, err)
	}
	if _, err := src.Next(); !errors.Is(err, source.ErrAsked) || src.answered != 0 {
		t.Fatalf("Next: %v, answered %d, want the question, unanswered", err, src.answered)
	}
	if _, err := src.Next(); !errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, source.ErrAsked) || src.answered != 1 {
		t.Fatalf("Next: %v, answered %d, want an answer, and to be quiet", err, src.answered)
	}
	wantWord(t, tracer, wordFlush)

	if err := unix.Shutdown(ends[0], unix.SHUT_WR); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
}

func wantWord(t *testing.T, from io.Reader, want byte) {
	t.Helper()
	var b [1]byte
	if _, err := io.ReadFull(from, b[:]); err != nil || b[0] != want {
		t.Fatalf("got %q, %v, want %q", b, err, want)
	}
}

// TestAskTheDead: a sensor that dies of a question has answered it.
func TestAskTheDead(t *testing.T) {
	const role = "BESIDE_TEST_ROLE"
	if os.Getenv(role) != "" {
		socket := os.NewFile(uintptr(atoi(t, flag.Arg(1))), "tracer")
		_, err := socket.Write([]byte{wordReads})
		if err == nil {
			_, err = socket.Read(make([]byte, 1))
		}
		if err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		os.Exit(0)
	}
	t.Setenv(role, "sensor")
	s, err := Start(Config{
		Path: "/proc/self/exe", Args: []string{"sensor", "-test.run=^TestAskTheDead$"}, Log: zerolog.Nop(),
		Output: func() (*os.File, error) { return os.OpenFile(os.DevNull, os.O_WRONLY, 0) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if !s.Await(-1, func() bool { return false }) || !s.ask() {
		t.Fatal("there is no sensor")
	}
	if <-s.flushed {
		t.Error("the dead has shown all")
	}
	s.End()
	<-s.ended
	if s.Flush() {
		t.Error("nobody has shown all")
	}
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestRestarts: a sensor that does not stay is started less and less often, which is
// told once, until one has stayed.
func TestRestarts(t *testing.T) {
	gone, killed := errors.New("ended with status 1"), errors.New("ended by signal 9")
	var r restarts
	for i, row := range []struct {
		lived time.Duration
		err   error
		pause time.Duration
		news  bool
		words bool // of the next one
	}{
		{time.Hour, gone, time.Second, true, true},
		{0, gone, 2 * time.Second, false, false},
		{0, gone, 4 * time.Second, false, false},
		{0, killed, 8 * time.Second, true, false},
		{longestPause, killed, 16 * time.Second, false, false},
		{0, killed, longestPause, false, false},
		{0, killed, longestPause, false, false},
		{time.Minute, killed, time.Second, true, true},
	} {
		pause, news := r.after(row.lived, row.err)
		if pause != row.pause || news != row.news || (r.words(os.Stderr) != nil) != row.words {
			t.Errorf("%d: got %v, news %v, words %v, want %+v", i, pause, news, r.words(os.Stderr) != nil, row)
		}
	}
}

// TestRestartsTold: a sensor that ends at once is started again, and told of once.
func TestRestartsTold(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	starts := make(chan bool, 10)
	s, err := Start(Config{
		Path: "/proc/self/exe", Args: []string{"sensor", "-test.run=^$"}, Log: zerolog.New(&log).Level(zerolog.InfoLevel),
		Output: func() (*os.File, error) {
			starts <- true
			return os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		<-starts
	}
	s.End()
	<-s.ended
	if got := strings.Count(log.String(), "nobody sees the events"); got != 1 {
		t.Errorf("it is told %d times: %s", got, &log)
	}
}

func TestJoin(t *testing.T) {
	for _, args := range [][]string{nil, {"--json"}, {"fd:3,4"}, {"fd:3,4", "x"}, {"fd:3,4", "999999"}, {"3,4", "5"}} {
		if _, _, err := Join(args); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

// TestOutput: files are appended to, sockets may come later.
func TestOutput(t *testing.T) {
	dir := t.TempDir()
	file, path := filepath.Join(dir, "file"), filepath.Join(dir, "socket")
	open, err := Output(file, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		writeTo(t, open, "x")
	}
	if b, err := os.ReadFile(file); string(b) != "xx" {
		t.Errorf("got %q, %v", b, err)
	}
	if _, err := Output(filepath.Join(dir, "none/file"), 1, 2); !errors.Is(err, unix.ENOENT) {
		t.Errorf("got %v, want an error", err)
	}
	open, err = Output("unix:"+path, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(); !errors.Is(err, unix.ENOENT) {
		t.Errorf("nobody listens: got %v", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	writeTo(t, open, "y")
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if b, err := io.ReadAll(c); string(b) != "y" {
		t.Errorf("got %q, %v", b, err)
	}
}

func writeTo(t *testing.T, open func() (*os.File, error), text string) {
	t.Helper()
	f, err := open()
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestCopy(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a/b")
	if err := Copy("/proc/self/exe", dir, "program"); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(filepath.Join(dir, "program"))
	if err != nil {
		t.Fatal(err)
	}
	if self, err := os.Stat("/proc/self/exe"); err != nil || st.Size() != self.Size() || st.Mode().Perm() != 0o755 {
		t.Errorf("got %v, %v, %v", st.Size(), st.Mode(), err)
	}
	if names, err := os.ReadDir(dir); len(names) != 1 {
		t.Errorf("got %v, %v, want one file", names, err)
	}
	if err := Copy("/nowhere", dir, "program"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("got %v", err)
	}
}

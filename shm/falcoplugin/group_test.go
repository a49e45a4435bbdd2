package falcoplugin

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/testrecord"
	"github.com/pdig/pdig/shm"
)

// TestUnfinished: what is no ring, or half of one, does not hold the others up, and is
// left as it is.
func TestUnfinished(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"half_descs", "a_descs", "a_buf", "b_descs", "b_buf", "c_descs", "c_buf", "d_descs", "d_buf"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p, err := shm.NewProducer(shm.ProducerConfig{Config: shm.Config{Prefix: filepath.Join(dir, "ring")}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	begin := time.Now()
	d, err := openGroup(&Config{Dir: dir}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if took := time.Since(begin); took > 3*time.Second { // to wait takes a second for each
		t.Errorf("took %v", took)
	}
	if !p.Active() {
		t.Error("the ring is not read")
	}
	// What was wrong at the beginning is said, and once.
	for _, want := range []int{4, 0} {
		got := 0
		for _, text := range d.Look(time.Now()) {
			if strings.Contains(text, "it is empty") {
				got++
			}
		}
		if got != want {
			t.Errorf("%d things are said to be wrong, want %d", got, want)
		}
	}
	plugin, err := New(`{"ring_dir":"`+dir+`"}`, false, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "half_descs"), 4096); err != nil {
		t.Fatal(err)
	}
	if list, err := plugin.Rings(); err != nil || strings.Contains(list, "half") || strings.Contains(list, "--ring") || strings.Count(list, "it is empty") != 4 {
		t.Errorf("half of a ring is none, and an error speaks of our settings: %v: %s", err, list)
	}
	if _, err := openGroup(&Config{Dir: filepath.Join(dir, "a_buf")}, zerolog.Nop()); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("a file as directory: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "half_buf")); !os.IsNotExist(err) {
		t.Errorf("half of a ring was made whole: %v", err)
	}
}

// opened is an instance of what there is below a directory, or of a ring there.
func opened(t *testing.T, config, params string) (*Plugin, *Instance) {
	t.Helper()
	p, err := New(config, false, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	i, err := p.Open(params)
	if err != nil {
		t.Fatal(err)
	}
	return p, i
}

// written is a tracer of a ring that has written n events; it does not wait for room.
func written(t *testing.T, cfg shm.ProducerConfig, n int) *shm.Producer {
	t.Helper()
	p, err := shm.NewProducer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	more(t, p, n)
	return p
}

func more(t *testing.T, p *shm.Producer, n int) {
	t.Helper()
	for range n {
		var e event.Encoder
		rec, err := testrecord.Line(&e, uint64(time.Now().UnixNano()), "5 < close res=0")
		if err != nil {
			t.Fatal(err)
		}
		if !p.Active() || !p.Write(rec, shm.Normal) {
			t.Fatal("not written")
		}
	}
}

// closes reads until so many closes have come, and returns what was said meanwhile.
func closes(t *testing.T, i *Instance, want int) (said []string) {
	t.Helper()
	for begin := time.Now(); want > 0; {
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("%d events have not come; said: %q", want, said)
		}
		_, n, err := i.Next()
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		for k := range n {
			if i.view.Parse(i.batch.about[k].whole) != nil {
				t.Fatal("no record")
			}
			if i.view.Type() == asyncEvent {
				said = append(said, string(i.view.Param(2)))
			} else {
				want--
			}
		}
	}
	return said
}

// TestRemoved: what is in a ring that was removed is delivered, and the tracer is read
// where it goes on.
func TestRemoved(t *testing.T) {
	for name, row := range map[string]struct{ config, params string }{
		"ring":      {"", "/ring"},
		"directory": {"", "/"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			ring := shm.Config{Prefix: dir + "/ring"}
			p, err := shm.NewProducer(shm.ProducerConfig{Config: ring})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			_, i := opened(t, row.config, dir+row.params)
			more(t, p, 3)
			if err := errors.Join(os.Remove(ring.Prefix+"_buf"), os.Remove(ring.Prefix+"_descs")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(lookEvery) // so that it is seen before the events are read
			if said := closes(t, i, 3); !slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, "was removed") }) {
				t.Errorf("said: %q", said)
			}
			other := written(t, shm.ProducerConfig{Config: ring}, 0)
			for begin := time.Now(); !p.Active() || !other.Active(); {
				if time.Since(begin) > 20*time.Second {
					t.Fatalf("the ring in its place is not read: by the first tracer %v, by another %v", p.Active(), other.Active())
				}
				_, _, _ = i.Next()
			}
			more(t, p, 2)
			more(t, other, 1)
			closes(t, i, 3)
			if s := i.Stats(); s.Seen != 6 || s.Delivered != 6 || s.LostTotal() != 0 {
				t.Errorf("stats %+v, want 6 seen and delivered", s)
			}
		})
	}
}

// TestCut: a ring that a tracer cuts off ends neither the capture nor the others, and
// why is said.
func TestCut(t *testing.T) {
	dir := t.TempDir()
	ring := shm.Config{Prefix: dir + "/ring"}
	_, i := opened(t, "", ring.Prefix)
	written(t, shm.ProducerConfig{Config: ring}, 1)
	closes(t, i, 1)
	if err := os.Truncate(ring.Prefix+"_descs", 0); err != nil {
		t.Fatal(err)
	}
	var said string
	for begin := time.Now(); !strings.Contains(said, "it is empty"); {
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("said: %q", said)
		}
		_, n, err := i.Next()
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		for k := range n {
			if i.view.Parse(i.batch.about[k].whole) == nil && i.view.Type() == asyncEvent {
				said += string(i.view.Param(2)) + "\n"
			}
		}
	}
	if err := errors.Join(os.Remove(ring.Prefix+"_buf"), os.Remove(ring.Prefix+"_descs")); err != nil {
		t.Fatal(err)
	}
	p := written(t, shm.ProducerConfig{Config: ring}, 0)
	for begin := time.Now(); !p.Active(); _, _, _ = i.Next() {
		if time.Since(begin) > 20*time.Second {
			t.Fatal("the ring in its place is not read")
		}
	}
	more(t, p, 1)
	closes(t, i, 1)
}

// TestVanished: what a tracer has begun and not written is counted while the capture
// goes on, and told of with the next event.
func TestVanished(t *testing.T) {
	dir := t.TempDir()
	ring := shm.Config{Prefix: dir + "/ring"}
	for name, params := range map[string]string{"ring": ring.Prefix, "directory": dir} {
		t.Run(name, func(t *testing.T) {
			if err := os.RemoveAll(ring.Prefix + "_buf"); err != nil {
				t.Fatal(err)
			}
			if err := os.RemoveAll(ring.Prefix + "_descs"); err != nil {
				t.Fatal(err)
			}
			p := written(t, shm.ProducerConfig{Config: ring}, 0)
			plugin, i := opened(t, "", params)
			more(t, p, 1)
			closes(t, i, 1)
			attempted(t, ring.Prefix+"_descs")
			for begin := time.Now(); i.Stats().Lost[event.CauseVanished] != 1; _, _, _ = i.Next() {
				if time.Since(begin) > 20*time.Second {
					t.Fatalf("stats %+v", i.Stats())
				}
			}
			more(t, p, 1)
			closes(t, i, 1)
			if v := plugin.Field(i.batch.about[len(i.batch.about)-1].at, 4); v.Number != 1 {
				t.Errorf("pdig.lost is %d, want 1", v.Number)
			}
		})
	}
}

// attempted counts a record that is never written, as a tracer does that is killed
// between the two.
func attempted(t *testing.T, descs string) {
	t.Helper()
	f, err := os.OpenFile(descs, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const offEvts = 8
	var word [8]byte
	_, err = f.ReadAt(word[:], offEvts)
	binary.NativeEndian.PutUint64(word[:], binary.NativeEndian.Uint64(word[:])+1)
	_, err2 := f.WriteAt(word[:], offEvts)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
}

// TestWhose: events say which tracer they are of, in its own words, which are made
// harmless.
func TestWhose(t *testing.T) {
	dir := t.TempDir()
	ring := shm.Config{Prefix: dir + "/ring"}
	plugin, i := opened(t, "", ring.Prefix)
	for _, row := range []struct {
		tracer, want shm.Tracer
	}{
		{shm.Tracer{Container: "0123456789ab", Command: "nginx -g daemon off;"}, shm.Tracer{Container: "0123456789ab", Command: "nginx -g daemon off;"}},
		{shm.Tracer{Container: "\xff\n", Command: "\x1b[2J" + strings.Repeat("x", 1000)}, shm.Tracer{Container: "??", Command: "?[2J" + strings.Repeat("x", 507)}},
		{shm.Tracer{}, shm.Tracer{}},
	} {
		p := written(t, shm.ProducerConfig{Config: ring, Tracer: row.tracer}, 0)
		p.Active()
		i.looked = time.Time{} // all tracers here are of one process
		_, _, _ = i.Next()
		more(t, p, 1)
		closes(t, i, 1)
		at := i.batch.about[len(i.batch.about)-1].at
		got := shm.Tracer{Container: string(plugin.Field(at, 5).Text), Command: string(plugin.Field(at, 6).Text)}
		if got != row.want {
			t.Errorf("got %q, want %q", got, row.want)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

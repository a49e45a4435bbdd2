package falcoplugin

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

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
	d, err := openDirectory(&Config{Dir: dir}, zerolog.Nop())
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
	if _, err := openDirectory(&Config{Dir: filepath.Join(dir, "a_buf")}, zerolog.Nop()); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("a file as directory: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "half_buf")); !os.IsNotExist(err) {
		t.Errorf("half of a ring was made whole: %v", err)
	}
}

package tracer

import (
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAnyServed(t *testing.T) {
	const around = "21 1 254:0 / / rw shared:1 - ext4 /dev/vda rw\n22 21 0:20 / /sys rw - sysfs sysfs rw\n"
	for _, tt := range []struct {
		line string
		want bool
	}{
		{"", false},
		{"30 21 0:40 / /mnt rw,nosuid - fuse.sshfs host:/ rw,user_id=0\n", true},
		{"30 21 0:40 / /mnt rw - fuse x rw\n", true},
		{"30 21 0:40 / /mnt rw shared:3 master:1 - nfs4 host:/x rw\n", true},
		{"30 21 0:40 / /sys/fs/fuse/connections rw - fusectl fusectl rw\n", false},
		{"30 21 0:40 / /fuse rw - tmpfs fuse rw\n", false},
		{"30 21 0:40 / /mnt rw - ", false},
		{"30 21 0:40 / /mnt rw", false},
	} {
		if got := anyServed([]byte(around + tt.line + around)); got != tt.want {
			t.Errorf("%q: %t, want %t", tt.line, got, tt.want)
		}
	}
}

func TestPresent(t *testing.T) {
	page := int(pageSize)
	mem, err := unix.Mmap(-1, 0, 80*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mem)
	for i := 0; i < 60*page; i += page { // the others are not there yet
		if i != 50*page {
			mem[i] = 1
		}
	}
	m := memory{pid: os.Getpid(), served: &served{memory: true}}
	defer m.close()
	for _, tt := range []struct{ from, n, want int }{
		{0, 0, 0}, {0, 1, 1}, {0, page, page}, {1, page, page}, {page - 1, 2, 2},
		{0, 50 * page, 50 * page}, {0, 50*page + 1, 50 * page}, {7, 80 * page, 50*page - 7}, {50 * page, 9, 0},
		{50*page + 9, page, 0}, {51 * page, 9 * page, 9 * page}, {59*page + 5, 2 * page, page - 5},
	} {
		addr := address(mem) + uint64(tt.from)
		if got := m.present(addr, tt.n); got != tt.want {
			t.Errorf("%d bytes from %d: %d are present, want %d", tt.n, tt.from, got, tt.want)
		}
		if got := m.read(make([]byte, tt.n), addr); got != tt.want {
			t.Errorf("%d bytes from %d: read %d, want %d", tt.n, tt.from, got, tt.want)
		}
	}
	for _, addr := range []uint64{0, 1 << 63, ^uint64(0), 1<<47 - pageSize} {
		if got := m.present(addr, 1); got != 0 {
			t.Errorf("%#x is present", addr)
		}
	}
}

// TestAnswerIsNotWaitedFor has servers that do not answer.
func TestAnswerIsNotWaitedFor(t *testing.T) {
	for _, memory := range []bool{false, true} {
		t.Run(fmt.Sprint(memory), func(t *testing.T) { notWaitedFor(t, &served{busy: make(chan struct{}, maxHelpers), memory: memory}) })
	}
}

func notWaitedFor(t *testing.T, s *served) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; { // a busy machine may run the helper late
		if !s.helper() {
			t.Fatal("no helper")
		}
		v, ok := answer(s, func() int { return 7 })
		if ok && v == 7 {
			break
		}
		if ok || time.Now().After(deadline) {
			t.Fatalf("an answer: %d, %t, want 7", v, ok)
		}
		for len(s.busy) > 0 && time.Now().Before(deadline) {
			time.Sleep(time.Millisecond)
		}
	}
	stuck := make(chan int)
	start := time.Now()
	for i := range 2 * maxHelpers {
		if !s.helper() {
			continue
		}
		if v, ok := answer(s, func() int { return <-stuck }); ok {
			t.Errorf("no answer, number %d: %d", i, v)
		}
	}
	// Where all helpers are stuck there is no wait at all.
	if took := time.Since(start); took > 20*maxHelpers*s.patience() {
		t.Errorf("waited for %v in all", took)
	}
	if n := len(s.busy); n != maxHelpers {
		t.Errorf("%d helpers are at work, want %d", n, maxHelpers)
	}
	close(stuck)
	for deadline := time.Now().Add(10 * time.Second); len(s.busy) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("helpers do not end")
		}
	}
}

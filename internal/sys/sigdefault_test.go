package sys

import (
	"os"
	"os/signal"
	"testing"

	"golang.org/x/sys/unix"
)

func TestDefaultAction(t *testing.T) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGWINCH)
	defer signal.Stop(signals)
	for _, sig := range []unix.Signal{unix.SIGWINCH, unix.SIGUSR2} {
		var old, now sigaction
		if err := rtSigaction(sig, nil, &old); err != nil {
			t.Fatal(err)
		}
		if err := DefaultAction(sig); err != nil {
			t.Fatalf("signal %d: %v", sig, err)
		}
		if err := rtSigaction(sig, nil, &now); err != nil {
			t.Fatal(err)
		}
		if old.handler == 0 || now.handler != 0 {
			t.Errorf("signal %d: handler %#x became %#x, want one to become 0", sig, old.handler, now.handler)
		}
		if err := rtSigaction(sig, &old, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := DefaultAction(unix.SIGKILL); err == nil {
		t.Error("SIGKILL: want an error")
	}
}

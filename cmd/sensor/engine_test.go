package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestNoModule: what is missing, and what to do.
func TestNoModule(t *testing.T) {
	t.Setenv("HOST_ROOT", t.TempDir())
	var out, words bytes.Buffer
	status := run([]string{"--kmod", "--buffer-preset", "1"}, strings.NewReader(""), &out, &words)
	want := "sensor: --kmod: the kernel module is not loaded: there is no device /dev/falco0 nor /dev/scap0: " +
		"load it (modprobe falco, or scap of falcosecurity-scap-dkms)\n"
	if status != statusFailed || words.String() != want {
		t.Errorf("status %d, %q", status, words.String())
	}
}

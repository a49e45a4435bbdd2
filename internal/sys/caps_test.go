package sys

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestKeepCapabilities: no thread has more than what was kept. It is done in a
// process of its own, which does not get them back.
func TestKeepCapabilities(t *testing.T) {
	const kept = 1<<unix.CAP_SYS_PTRACE | 1<<unix.CAP_DAC_READ_SEARCH
	const child = "PDIG_TEST_KEEP_CAPABILITIES"
	if os.Getenv(child) != "" {
		if err := KeepCapabilities(kept); err != nil {
			fmt.Println("error:", err)
			if errors.Is(err, errors.ErrUnsupported) {
				os.Exit(3)
			}
			os.Exit(1)
		}
		files, _ := filepath.Glob("/proc/self/task/*/status")
		for _, f := range files {
			text, _ := os.ReadFile(f)
			fmt.Printf("%s\n", text)
		}
		os.Exit(0)
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestKeepCapabilities$")
	cmd.Env = append(os.Environ(), child+"=1")
	out, err := cmd.Output()
	if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == 3 {
		t.Skip("a test with cgo cannot drop capabilities: ", strings.TrimSpace(string(out)))
	}
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	fields := regexp.MustCompile(`(?m)^Cap(Inh|Prm|Eff|Amb):\t([0-9a-f]+)$`).FindAllStringSubmatch(string(out), -1)
	if len(fields) < 4*2 {
		t.Fatalf("%d sets of capabilities: %s", len(fields), out)
	}
	for _, f := range fields {
		var have uint64
		if _, err := fmt.Sscanf(f[2], "%x", &have); err != nil || have&^kept != 0 {
			t.Errorf("Cap%s %s, %v", f[1], f[2], err)
		}
		if os.Getuid() == 0 && f[1] == "Eff" && have != kept {
			t.Errorf("CapEff %s, want %x", f[2], kept)
		}
	}
}

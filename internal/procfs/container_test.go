package procfs

import (
	"strings"
	"testing"
)

// TestContainerID: ids stand in the names that engines give to their cgroups.
func TestContainerID(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	for cgroups, want := range map[string]string{
		"":                              "",
		"0::/\n":                        "",
		"0::/system.slice/sshd.service": "",
		"12:cpu:/docker/" + id + "\n11:memory:/docker/" + id + "\n": id,
		"0::/kubepods.slice/cri-containerd-" + id + ".scope\n":      id,
		"cpu=/ecs/task/" + id + "\x00memory=/":                      id,
		"0::/machine.slice/crio-conmon-" + id + ".scope":            "",
		"0::/docker/" + id[1:]:                                      "",
		"0::/docker/" + strings.ToUpper(id):                         "",
	} {
		if got := ContainerID(cgroups); got != want {
			t.Errorf("%q: got %q, want %q", cgroups, got, want)
		}
	}
}

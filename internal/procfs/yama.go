package procfs

import (
	"os"
	"strconv"
	"strings"
)

// Yama is kernel.yama.ptrace_scope, 0 where there is no Yama.
func Yama() int {
	text, _ := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
	n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return n
}

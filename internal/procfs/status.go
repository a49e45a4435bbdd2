package procfs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// maxStatus bounds what is read of a status file: 60 lines, some of which list
// groups, CPUs or memory nodes. What is read of it stands in front of those.
const maxStatus = 8192

// Status is what is needed of /proc/TID/status.
type Status struct {
	Comm string
	PID  int    // of the process: its first thread
	PPID int    // process that created it
	UID  uint32 // effective
	GID  uint32 // effective

	Tracer int // thread that traces it, 0 for none

	// In the innermost pid namespace, 0 where the kernel does not tell.
	VTID, VPID, VPGID int

	VMSize, VMRSS, VMSwap                      uint32 // KiB
	CapInheritable, CapPermitted, CapEffective uint64
}

// ReadStatus reads the status file of a process or of any thread. The error is
// [os.ErrNotExist] if there is no such thread.
func ReadStatus(root string, tid int) (Status, error) {
	b, err := readFile(root, tid, "status", maxStatus)
	if err != nil {
		return Status{}, err
	}
	return parseStatus(b)
}

func parseStatus(b []byte) (Status, error) {
	s := Status{UID: ^uint32(0), GID: ^uint32(0)}
	for line := range bytes.Lines(b) {
		key, value, _ := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(":\t"))
		switch string(key) {
		case "Name":
			s.Comm = unescape.Replace(string(value))
		case "Tgid":
			s.PID, _ = strconv.Atoi(string(value))
		case "PPid":
			s.PPID, _ = strconv.Atoi(string(value))
		case "TracerPid":
			s.Tracer, _ = strconv.Atoi(string(value))
		case "Uid":
			s.UID = effective(value)
		case "Gid":
			s.GID = effective(value)
		case "NSpid":
			s.VTID = innermost(value)
		case "NStgid":
			s.VPID = innermost(value)
		case "NSpgid":
			s.VPGID = innermost(value)
		case "VmSize":
			s.VMSize = kibibytes(value)
		case "VmRSS":
			s.VMRSS = kibibytes(value)
		case "VmSwap":
			s.VMSwap = kibibytes(value)
		case "CapInh":
			s.CapInheritable, _ = strconv.ParseUint(string(value), 16, 64)
		case "CapPrm":
			s.CapPermitted, _ = strconv.ParseUint(string(value), 16, 64)
		case "CapEff":
			s.CapEffective, _ = strconv.ParseUint(string(value), 16, 64)
		}
	}
	if s.PID <= 0 {
		return Status{}, fmt.Errorf("status: %w", ErrFormat)
	}
	return s, nil
}

// effective is the second of the numbers real, effective, saved, file system.
func effective(value []byte) uint32 {
	if ids := bytes.Fields(value); len(ids) > 1 {
		if id, err := strconv.ParseUint(string(ids[1]), 10, 32); err == nil {
			return uint32(id)
		}
	}
	return ^uint32(0)
}

// innermost is the last of the numbers that a thread has in pid namespaces.
func innermost(value []byte) int {
	n, _ := strconv.Atoi(string(value[bytes.LastIndexByte(value, '\t')+1:]))
	return n
}

// kibibytes is a size such as "  1234 kB".
func kibibytes(value []byte) uint32 {
	text, _ := bytes.CutSuffix(bytes.TrimLeft(value, " \t"), []byte(" kB"))
	n, _ := strconv.ParseUint(string(text), 10, 32) // of what is too much the most
	return uint32(n)
}

// unescape undoes what the kernel does to a name in a status file: newlines
// and backslashes have a backslash before them (proc_task_name, fs/proc/array.c).
var unescape = strings.NewReplacer(`\\`, `\`, `\n`, "\n")

// ReadCwd returns the working directory of a process, as the kernel names it.
func ReadCwd(root string, pid int) (string, error) {
	return os.Readlink(filepath.Join(root, strconv.Itoa(pid), "cwd"))
}

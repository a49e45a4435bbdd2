package tracer

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"
)

// What is executed need not be the file that a path leads to: a script has its
// interpreter executed, and what a machine does not understand is handed to whatever
// was registered for it (binfmt_misc).

const (
	headSize   = 256 // BINPRM_BUF_SIZE: what the kernel looks at
	maxScripts = 5   // one the interpreter of the other (fs/exec.c, exec_binprm)
	machineAt  = 18  // e_machine of an ELF file
)

// isProgram reports whether the file at the end of w, which is not the one that is
// executed, would have been: a program of this machine, or a script of which the
// interpreter is another one.
func (w *walk) isProgram(pid, tid int) bool {
	var b [headSize]byte
	head := headOf(w.dir, b[:])
	switch name := interpreter(head); {
	case len(name) > 0 && w.scripts < maxScripts:
		next := *w
		next.name, next.dirfd, next.flags, next.scripts = string(name), unix.AT_FDCWD, 0, w.scripts+1
		return !next.leadsFor(pid, tid)
	case len(head) < machineAt+2 || !bytes.HasPrefix(head, []byte("\x7fELF")):
		return false
	}
	return slices.Contains(machines(), binary.NativeEndian.Uint16(head[machineAt:]))
}

// headOf reads the beginning of a file, if it is a regular one that may be read.
func headOf(fd int, b []byte) []byte {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil
	}
	file, err := unix.Open(selfFD(fd), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(file)
	n, _ := unix.Pread(file, b, 0)
	return b[:max(n, 0)]
}

// interpreter is the path in the first line of a script, nil if there is none or it
// is cut (fs/binfmt_script.c).
func interpreter(head []byte) []byte {
	line, ok := bytes.CutPrefix(head, []byte("#!"))
	if !ok {
		return nil
	}
	line = bytes.TrimLeft(line, " \t")
	end := bytes.IndexAny(line, " \t\n\x00")
	if end < 0 && len(head) < headSize {
		end = len(line)
	}
	return line[:max(end, 0)]
}

// machines are those whose programs the kernel executes itself: 64 bits and 32.
func machines() []uint16 {
	const i386, arm, amd64, arm64 = 3, 40, 62, 183 // EM_*
	if runtime.GOARCH == "arm64" {
		return []uint16{arm64, arm}
	}
	return []uint16{amd64, i386}
}

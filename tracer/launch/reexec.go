package launch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Positions in the ELF header of a 64-bit file.
const (
	elfHeaderSize = 64
	elfEntry      = 24
)

// auxEntry is AT_ENTRY, the address of the entry that was used.
const auxEntry = 9

// Reexec starts the program anew in the same process, with the entry that it
// was not linked with, and does not return unless that fails. The copy that it
// executes is in memory.
//
// What the Go runtime has changed by now is lost to the command: ignored
// signals other than SIGINT and SIGHUP are no longer ignored, and SIGTERM,
// SIGURG and SIGCHLD no longer blocked.
func Reexec() error {
	if os.Args[0] != "" && os.Args[0][0] == PlainMark {
		return fmt.Errorf("a program that is called %q starts no command", os.Args[0])
	}
	image, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("copy of the program: %w", err)
	}
	if err := patchEntry(image); err != nil {
		return fmt.Errorf("copy of the program: %w", err)
	}
	env, err := rawEnvironment()
	if err != nil {
		return fmt.Errorf("copy of the program: %w", err)
	}
	fd, err := executableMemory(image)
	if err != nil {
		return fmt.Errorf("copy of the program: %w", err)
	}
	err = syscall.Exec(fmt.Sprintf("/proc/self/fd/%d", fd), os.Args, env)
	unix.Close(fd)
	return fmt.Errorf("exec of a copy of the program in memory: %w", err)
}

// patchEntry makes _pdig_start the entry of the image of this program.
func patchEntry(image []byte) error {
	if len(image) < elfHeaderSize {
		return errors.New("not an ELF file")
	}
	aux, err := unix.Auxv()
	if err != nil {
		return fmt.Errorf("auxiliary vector: %w", err)
	}
	field := image[elfEntry:]
	for _, a := range aux {
		if a[0] == auxEntry {
			// A position-independent program has been moved; so was its entry.
			moved := uint64(a[1]) - binary.NativeEndian.Uint64(field)
			binary.NativeEndian.PutUint64(field, uint64(entryPC())-moved)
			return nil
		}
	}
	return errors.New("auxiliary vector: no AT_ENTRY")
}

// rawEnvironment is the environment as the kernel gave it: os.Environ leaves
// out duplicates and empty strings.
func rawEnvironment() ([]string, error) {
	b, err := os.ReadFile("/proc/self/environ")
	if err != nil || len(b) == 0 {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00"), nil
}

// executableMemory returns a descriptor of a file in memory.
func executableMemory(image []byte) (int, error) {
	fd, err := unix.MemfdCreate(comm, unix.MFD_CLOEXEC|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3
		fd, err = unix.MemfdCreate(comm, unix.MFD_CLOEXEC)
	}
	if err != nil {
		return -1, fmt.Errorf("memfd_create: %w", err)
	}
	for len(image) > 0 {
		n, err := unix.Write(fd, image)
		if err != nil {
			unix.Close(fd)
			return -1, fmt.Errorf("write: %w", err)
		}
		image = image[n:]
	}
	return fd, nil
}

package launch

import (
	"fmt"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// comm is the name that the tracer has in listings of processes.
const comm = "pdig"

// openDescriptors lists the descriptors that the process was started with.
// They are those without the close-on-exec flag: the exec of this program has
// closed all others, and what a Go program opens since then has it.
func openDescriptors() []int {
	var numbers []int
	if dir, err := os.ReadDir("/proc/self/fd"); err == nil {
		for _, e := range dir {
			if fd, err := strconv.Atoi(e.Name()); err == nil {
				numbers = append(numbers, fd)
			}
		}
	} else {
		numbers = allDescriptors()
	}
	return slices.DeleteFunc(numbers, func(fd int) bool { return !inherited(fd) })
}

// maxProbed bounds the search for open descriptors without /proc.
const maxProbed = 1 << 16

// allDescriptors are the numbers that a descriptor may have.
func allDescriptors() []int {
	limit := uint64(maxProbed)
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err == nil {
		limit = min(limit, r.Cur)
	}
	numbers := make([]int, limit)
	for i := range numbers {
		numbers[i] = i
	}
	return numbers
}

func inherited(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil && flags&unix.FD_CLOEXEC == 0
}

// CloseInherited closes what the process was started with, except for the first three
// descriptors and those to keep. It is for the first thing that main does.
func CloseInherited(keep ...int) {
	for _, fd := range openDescriptors() {
		if fd > stderrFD && !slices.Contains(keep, fd) {
			unix.Close(fd)
		}
	}
}

// ReleaseInherited lets go of everything that the tracer has from the process,
// except for the descriptors to keep: a reader of a pipe sees its end when the
// command closes it, no mount is held busy, and neither the arguments nor the
// name make the tracer look like the command. It is called when the command
// has been executed; relative names mean something else afterwards.
//
// Descriptors 0 to 2 become /dev/null. A descriptor that has got the
// close-on-exec flag since [Start] is taken for the tracer's own and stays.
func (o *Original) ReleaseInherited(keep ...int) error {
	null, err := openNull()
	if err != nil {
		return err
	}
	defer unix.Close(null)
	for _, fd := range o.inherited {
		switch {
		case slices.Contains(keep, fd) || !inherited(fd):
		case fd <= 2:
			err = unix.Dup3(null, fd, 0)
		default:
			unix.Close(fd) // closed even if it returns an error
		}
	}
	o.inherited = nil
	if err != nil {
		return fmt.Errorf("dup3: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return fmt.Errorf("chdir: %w", err)
	}
	o.disguise()
	return nil
}

// openNull opens /dev/null or, where there is none, something else that can be
// neither read nor written.
func openNull() (int, error) {
	fd, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		fd, err = unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return -1, fmt.Errorf("open: %w", err)
	}
	return fd, nil
}

// disguise overwrites the arguments and sets the name. What goes wrong here
// harms a listing only.
func (o *Original) disguise() {
	for i, arg := range o.mem.argBytes() {
		clear(arg)
		if i == 0 {
			copy(arg, comm)
		}
	}
	_ = os.WriteFile("/proc/self/comm", []byte(comm), 0)
}

package launch

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// entryPC is the address of _pdig_start in this process.
func entryPC() uintptr

// addr is the address of *p, which must be in the region: it is the same in
// both processes.
func addr[T any](p *T) uint64 { return uint64(uintptr(unsafe.Pointer(p))) }

// at is the address of the first byte of b, which must be in the region.
func at(b []byte) uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }

// argc is the number of arguments that the kernel has put on the initial stack.
func (m *memory) argc() int { return int(*m.stack) }

// argvAddr is the address of the pointer to argument i on the initial stack.
func (m *memory) argvAddr(i int) uint64 { return addr(m.stack) + 8 + 8*uint64(i) }

// envpAddr is the address of the first pointer to the environment, which
// stands behind the NULL at the end of the arguments.
func (m *memory) envpAddr() uint64 { return m.argvAddr(m.argc() + 1) }

// argBytes are the strings of the arguments as they stand in this process'
// memory, without their terminating NULs. What is written to them is what
// /proc/PID/cmdline shows.
func (m *memory) argBytes() [][]byte {
	pointers := unsafe.Slice((**byte)(unsafe.Add(unsafe.Pointer(m.stack), 8)), m.argc())
	out := make([][]byte, len(pointers))
	for i, p := range pointers {
		out[i] = unsafe.Slice(p, len(unix.BytePtrToString(p)))
	}
	return out
}

package shm

import (
	"fmt"
	"runtime/debug"
)

// A fault is an access to a page of the mapping that its file has no more.
//
// Whatever touches the mapping does so between arm and disarm. With the deferred
// call that takes 10 to 20 ns, where asking for the size of the file takes a
// system call and proves nothing about the next moment.

// arm makes a fault of this goroutine a panic instead of the end of the
// process. It returns what disarm needs.
func arm() bool { return debug.SetPanicOnFault(true) }

// disarm undoes arm. recovered is what the deferred caller has recovered, and
// disarm reports whether that was a fault of this ring. It panics on with all
// others.
func (r *ring) disarm(armed bool, recovered any) bool {
	debug.SetPanicOnFault(armed)
	if recovered == nil {
		return false
	}
	fault, ok := recovered.(interface{ Addr() uintptr })
	if !ok || !contains(r.data, fault.Addr()) && !contains(r.page.b, fault.Addr()) {
		panic(recovered)
	}
	return true
}

// catch is deferred by functions that return an error: a fault is [ErrCut] of the ring.
func (r *ring) catch(armed bool, err *error) {
	if r.disarm(armed, recover()) {
		*err = fmt.Errorf("ring %s: %w", r.name, ErrCut)
	}
}

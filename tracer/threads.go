package tracer

import (
	"runtime"
	"sync"
)

// spareThreads is how many threads the runtime gets ahead for what may run
// beside the loop: two that run goroutines, one that waits in the kernel for
// the clock or a file, one more for a collection.
const spareThreads = 4

// haveThreads makes the runtime start the threads that it may come to need. One
// that is refused later, because the command has used up the processes that its
// user may have, would end the tracer, and with it the command. The runtime
// keeps a thread that it has.
func haveThreads() {
	var ready, done sync.WaitGroup
	end := make(chan struct{})
	for range spareThreads {
		ready.Add(1)
		done.Go(func() {
			runtime.LockOSThread() // has a thread to itself until it is unlocked
			defer runtime.UnlockOSThread()
			ready.Done()
			<-end
		})
	}
	ready.Wait()
	close(end)
	done.Wait()
}

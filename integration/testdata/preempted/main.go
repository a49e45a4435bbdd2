// Command preempted computes in several goroutines while it collects garbage,
// opens files, starts programs and gets signals.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 1000)
	signal.Notify(signals, syscall.SIGUSR1)
	var wg sync.WaitGroup
	sums := make([]uint64, 4)
	for i := range sums {
		wg.Go(func() {
			for n := range uint64(20_000_000) { // no call, and no other place to yield
				sums[i] = sums[i]*31 + n
			}
		})
	}
	wg.Go(func() {
		for range 30 {
			runtime.GC()
		}
	})
	wg.Go(func() {
		for range 50 {
			f, err := os.Open(os.Args[0])
			if err == nil {
				err = f.Close()
			}
			if err == nil {
				err = syscall.Kill(os.Getpid(), syscall.SIGUSR1)
			}
			if err != nil {
				fmt.Println(err)
			}
			<-signals
		}
	})
	wg.Go(func() {
		for range 10 {
			if out, err := exec.Command("/bin/echo", "started").Output(); err != nil || string(out) != "started\n" {
				fmt.Println(string(out), err)
			}
		}
	})
	wg.Wait()
	fmt.Println("sum", sums)
}

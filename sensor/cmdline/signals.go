package cmdline

import (
	"os"
	"os/signal"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/internal/procfs"
	"github.com/pdig/pdig/internal/sys"
)

// endingSignals end a run cleanly.
func endingSignals() []os.Signal {
	return wanted(unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
}

// passedSignals are meant for the command when the sensor gets them.
func passedSignals() []os.Signal {
	return wanted(unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2)
}

// wanted leaves out what the sensor was started with ignored, which stays so:
// SIGHUP by nohup, SIGINT and SIGQUIT in the background of a shell without job
// control. Of other signals the Go runtime does not tell.
func wanted(signals ...os.Signal) []os.Signal {
	return slices.DeleteFunc(signals, signal.Ignored)
}

// inheritQuit ignores SIGQUIT where SIGINT was ignored at the start: shells
// ignore both or none, and the Go runtime keeps SIGINT only.
func inheritQuit() {
	if signal.Ignored(unix.SIGINT) {
		signal.Ignore(unix.SIGQUIT)
	}
}

// quitQuietly makes SIGQUIT end the sensor as it ends other programs, and not
// with a listing of goroutines, until the function returned is called.
func quitQuietly() (done func()) {
	signals := wanted(unix.SIGQUIT)
	if len(signals) == 0 {
		return func() {}
	}
	quit := make(chan os.Signal, 1)
	signal.Notify(quit, signals...)
	go func() {
		if _, ok := <-quit; ok {
			os.Exit(die(unix.SIGQUIT))
		}
	}()
	return func() {
		signal.Stop(quit) // nothing is sent after it
		close(quit)
	}
}

// pass hands signals on to the command, but for one that is meant for the sensor
// itself, which ends when the command does.
func pass(signals <-chan os.Signal, command *os.Process, own os.Signal) {
	for s := range signals {
		if s == own || letGo(command.Pid) {
			continue
		}
		if (s == unix.SIGINT || s == unix.SIGQUIT) && terminalSends(command.Pid) {
			continue
		}
		_ = command.Signal(s) // it may have ended
	}
}

// letGo has pdig tell of the end of a command that it holds until the last
// descendant has ended. It reports whether that is the case: the command has
// ended then, and gets no signals.
func letGo(pid int) bool {
	root, _ := procfs.Root()
	if st, err := procfs.ReadStat(root, pid); err != nil || !st.Dead() {
		return false
	}
	st, err := procfs.ReadStatus(root, pid)
	return err == nil && st.Tracer > 0 && unix.Kill(st.Tracer, unix.SIGTERM) == nil
}

// terminalSends reports whether a signal of the terminal's keys has reached the
// command too: both are in the terminal's foreground process group.
func terminalSends(pid int) bool {
	tty, err := unix.Open("/dev/tty", unix.O_RDONLY|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false // no terminal
	}
	defer unix.Close(tty)
	own := unix.Getpgrp()
	foreground, err := unix.IoctlGetInt(tty, unix.TIOCGPGRP)
	if err != nil || foreground != own {
		return false
	}
	group, err := unix.Getpgid(pid)
	return err == nil && group == own
}

// deathWait is how long a signal to the process itself may take.
const deathWait = time.Second

// die ends the sensor by the signal that has ended the command, so that whoever
// started the sensor sees the same. It returns the status for the case that the
// signal does not kill: the sensor is the init process of a container.
func die(sig unix.Signal) int {
	// The core file, if any, is the command's.
	var core unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &core); err == nil {
		core.Cur = 0
		_ = unix.Setrlimit(unix.RLIMIT_CORE, &core)
	}
	_ = sys.DefaultAction(sig) // SIGKILL has no other
	if os.Getpid() != 1 && unix.Kill(os.Getpid(), sig) == nil {
		time.Sleep(deathWait)
	}
	return 128 + int(sig)
}

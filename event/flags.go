package event

import "github.com/pdig/pdig/syscalls"

// signalNames are the names of signals, by number; readers leave the realtime
// ones unnamed.
var signalNames = [...]string{
	1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
	9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM", 16: "SIGSTKFLT",
	17: "SIGCHLD", 18: "SIGCONT", 19: "SIGSTOP", 20: "SIGTSTP", 21: "SIGTTIN", 22: "SIGTTOU", 23: "SIGURG", 24: "SIGXCPU",
	25: "SIGXFSZ", 26: "SIGVTALRM", 27: "SIGPROF", 28: "SIGWINCH", 29: "SIGIO", 30: "SIGPWR", 31: "SIGSYS",
}

// appendSignal appends the name of a signal, nothing if it has none.
func appendSignal(dst []byte, sig uint64) []byte {
	if sig < uint64(len(signalNames)) {
		dst = append(dst, signalNames[sig]...)
	}
	return dst
}

// appendSignals appends the names of a signal set, joined by blanks. Bit n-1 is
// signal n.
func appendSignals(dst []byte, set uint64) []byte {
	start := len(dst)
	for sig := 1; sig < len(signalNames); sig++ {
		if set&(1<<(sig-1)) != 0 {
			dst = appendSeparator(dst, start, ' ')
			dst = append(dst, signalNames[sig]...)
		}
	}
	return dst
}

// appendFlags appends the names of value, joined by |, nothing when none fits.
// It walks the table in its order: an entry counts if all its bits are still
// there, and takes them away; an entry that is the whole value counts in any
// case and ends the walk (in the newest style if its bits are still there). So bits without a name are left out, and a value that
// an enumeration lacks is shown as the bits it happens to have. Entries newer
// than a version are passed over.
func appendFlags(dst []byte, flags []syscalls.Flag, value uint32, newest syscalls.Tag, style Style) []byte {
	start, rest := len(dst), value
	for i := range flags {
		f := &flags[i]
		if f.Since > newest {
			continue
		}
		whole := f.Value == value
		if whole && style == Newest && f.Value&rest != f.Value {
			break
		}
		if !whole && (f.Value == 0 || f.Value&rest != f.Value) {
			continue
		}
		dst = appendSeparator(dst, start, '|')
		dst = append(dst, f.Name...)
		rest &^= f.Value
		if whole {
			break
		}
	}
	return dst
}

// appendSeparator puts sep between the parts of what begins at start.
func appendSeparator(dst []byte, start int, sep byte) []byte {
	if len(dst) > start {
		dst = append(dst, sep)
	}
	return dst
}

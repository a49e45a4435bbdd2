package syscalls

// Arch is a system-call numbering.
type Arch uint8

// Architectures. X32 shares the amd64 table; its numbers have bit 30 set. ARM is
// the 32-bit one (EABI).
const (
	AMD64 Arch = iota
	ARM64
	I386
	ARM
	NumArch
)

// Level is how much of the workload is watched; each holds the one before.
type Level uint8

// Levels of --events.
const (
	LevelExec Level = iota
	LevelSecurity
	LevelIO
	LevelAll
)

// Class is a set of kinds of calls, the %classes of --events.
type Class uint16

// Classes of --events.
const (
	ClassFile Class = 1 << iota
	ClassNetwork
	ClassProcess
	ClassSignal
	ClassMemory
	ClassDesc
	ClassIpc
)

// Call is one system call. Calls of the same name on several architectures
// are one Call.
type Call struct {
	Name  string
	Nr    [NumArch]int16 // number by architecture, -1 where it does not exist
	SC    uint16         // ppm_sc code, 0 when Falco has none
	Level Level
	Class Class
	// Enter lists the enter codes of the call's events, newest first; the
	// exit code is the enter code plus one. Empty: the call is always generic.
	Enter []uint16
}

// Event returns the enter code of the newest event of c of which both halves
// are below ceiling and captured, and whether there is one. Without one the
// call is sent as [GenericE] and [GenericX].
func (c *Call) Event(ceiling int) (enter uint16, ok bool) {
	for _, e := range c.Enter {
		if int(e)+1 < ceiling && Events[e].Captured() && Events[e+1].Captured() {
			return e, true
		}
	}
	return 0, false
}

// Lookup returns the call with number nr of arch, or nil if the table has no
// such number.
func Lookup(arch Arch, nr int) *Call {
	if i := Index(arch, nr); i >= 0 {
		return &Calls[i]
	}
	return nil
}

// Index returns the place in [Calls] of the call with number nr of arch, or -1
// if the table has no such number.
func Index(arch Arch, nr int) int {
	t := callIndex[arch]
	if nr < 0 || nr >= len(t) {
		return -1
	}
	return int(t[nr])
}

// LookupName returns the call of that name, or nil.
func LookupName(name string) *Call {
	for i := range Calls {
		if Calls[i].Name == name {
			return &Calls[i]
		}
	}
	return nil
}

// SCKnown returns the ppm_sc code that a reader with that ceiling knows for c:
// its own, or 0 (unknown) where the reader's list is shorter.
func (c *Call) SCKnown(ceiling int) uint16 {
	if int(c.SC) < SCCount(ceiling) {
		return c.SC
	}
	return 0
}

// SCCount is how many ppm_sc codes a reader with that ceiling knows: those below.
func SCCount(ceiling int) int { return scCount(ceiling) }

package syscalls

// Type is the wire type of a parameter. The values are those of Falco's
// driver/ppm_events_public.h (enum ppm_param_type).
type Type uint8

// Wire types. Integers are in host byte order; sizes are in bytes.
const (
	None         Type = 0
	Int8         Type = 1
	Int16        Type = 2
	Int32        Type = 3
	Int64        Type = 4
	Uint8        Type = 5
	Uint16       Type = 6
	Uint32       Type = 7
	Uint64       Type = 8
	CharBuf      Type = 9  // bytes with a final NUL
	ByteBuf      Type = 10 // raw bytes
	Errno        Type = 11 // s64, a negative errno or a result
	SockAddr     Type = 12 // family u8, address, port
	SockTuple    Type = 13 // family u8, source, destination
	FD           Type = 14 // s64
	PID          Type = 15 // s64
	FDList       Type = 16 // u16 count, then {s64 fd, s16 flags}
	FSPath       Type = 17 // path with a final NUL, relative to the cwd
	SyscallID    Type = 18 // u16, ppm_sc code
	SigType      Type = 19 // u8, signal number
	RelTime      Type = 20 // u64 ns
	AbsTime      Type = 21 // u64 ns since the Unix epoch
	Port         Type = 22
	L4Proto      Type = 23
	SockFamily   Type = 24
	Bool         Type = 25
	IPv4Addr     Type = 26
	Dyn          Type = 27 // selector u8, then the selected type
	Flags8       Type = 28
	Flags16      Type = 29
	Flags32      Type = 30
	UID          Type = 31
	GID          Type = 32
	Double       Type = 33
	SigSet       Type = 34 // u32, bit n-1 is signal n
	CharBufArray Type = 35 // NUL-terminated strings
	CharBufPairs Type = 36
	IPv4Net      Type = 37
	IPv6Addr     Type = 38
	IPv6Net      Type = 39
	IPAddr       Type = 40
	IPNet        Type = 41
	Mode         Type = 42
	FSRelPath    Type = 43 // path with a final NUL, relative to Param.Dirfd
	EnumFlags8   Type = 44
	EnumFlags16  Type = 45
	EnumFlags32  Type = 46
	FD32         Type = 47
	PID32        Type = 48
	numTypes          = 49
)

// Size returns the number of bytes of a value of type t, or 0 when it varies.
func (t Type) Size() int {
	if int(t) < len(typeSizes) {
		return int(typeSizes[t])
	}
	return 0
}

var typeSizes = [numTypes]uint8{
	Int8: 1, Uint8: 1, Flags8: 1, EnumFlags8: 1, SigType: 1, L4Proto: 1, SockFamily: 1,
	Int16: 2, Uint16: 2, Flags16: 2, EnumFlags16: 2, SyscallID: 2, Port: 2,
	Int32: 4, Uint32: 4, Flags32: 4, EnumFlags32: 4, UID: 4, GID: 4, Mode: 4, SigSet: 4,
	Bool: 4, IPv4Addr: 4, FD32: 4, PID32: 4,
	Int64: 8, Uint64: 8, Errno: 8, FD: 8, PID: 8, RelTime: 8, AbsTime: 8, Double: 8,
	IPv6Addr: 16,
}

// String returns the type's name as in table/events.txt, for example FSRELPATH.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "?"
}

// Format is how a number is shown.
type Format uint8

// Formats of numbers.
const (
	FormatNone Format = iota
	Dec
	Hex
	Oct
)

// Tag is a version of Falco's event table: an index into [TagNames], oldest
// first. Tag 0 is the table of Debian's sysdig 0.29.3.
type Tag uint8

// Param is one parameter of an event.
type Param struct {
	Name   string
	Type   Type
	Format Format
	Flags  []Flag  // names of the bits or values, in printing order; else nil
	Dyn    []Param // alternatives of a Dyn parameter by selector; else nil
	Dirfd  int8    // FSRelPath: index of the parameter with the directory, else -1
	Since  Tag     // first version that has the parameter
	Source Source
	Old    *OldParam // how the oldest version has it, or nil: the same
}

// OldParam is what Debian's sysdig 0.29.3 calls a parameter and how it prints
// it, where that differs from today. Its width is the same.
type OldParam struct {
	Name string
	Type Type
}

// EventFlags say how readers treat an event.
type EventFlags uint16

// Event flags; values are this package's own.
const (
	CreatesFD EventFlags = 1 << iota
	DestroysFD
	UsesFD
	ModifiesState
	ReadsFromFD
	WritesToFD
	Waits
	OldVersion // newer tables have another event for the same call
	Unused     // the half of a pair that is never sent
	SkipParseReset
	LargePayload // parameter lengths are u32
)

// Category is the kind of an event, evt.category.
type Category uint8

// String returns the category's name as in table/events.txt, for example
// io_read.
func (c Category) String() string {
	if int(c) < len(categoryNames) {
		return categoryNames[c]
	}
	return "?"
}

// Event is one event code: one half of a system call, or a single event.
type Event struct {
	Name   string
	Enum   string // Falco's name, without the PPME_ prefix
	Class  Category
	Flags  EventFlags
	Since  Tag
	Params []Param
}

// Captured reports whether the table says for every parameter where its value
// comes from, so that a producer can send the event.
func (e *Event) Captured() bool {
	for i := range e.Params {
		if e.Params[i].Source.Op == OpNone {
			return false
		}
	}
	return true
}

// IsEnter reports whether typ is the enter half of a call. Enter codes are
// even and the exit is the enter plus one.
func IsEnter(typ uint16) bool { return typ&1 == 0 }

// Event codes that code refers to by name.
const (
	GenericE  = 0
	GenericX  = 1
	ProcExitE = 186

	SignalDeliverE = 232
	CloneX         = 223
	ForkX          = 225
	VforkX         = 227
	ExecveE        = 292
	ExecveX        = 293
	ExecveatX      = 331
	Clone3X        = 335
)

// Older returns the code below [CeilingA] that the call of event typ had
// before it got one of its own, or typ itself. Its parameters are the first
// ones of typ.
func Older(typ uint16) uint16 {
	if int(typ) >= CeilingA && int(typ) < NumEvents {
		if o := older[typ-CeilingA]; o != 0 {
			return o
		}
	}
	return typ
}

// Ceilings: a reader with N event codes knows the codes below N only.
const (
	CeilingA      = 336 // ring layout A: Debian's sysdig 0.29.3
	CeilingB      = 374 // ring layout B: Falco 0.33
	CeilingC      = 418 // ring layout C: Falco 0.36
	CeilingNewest = NumEvents
)

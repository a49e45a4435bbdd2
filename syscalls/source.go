package syscalls

// Op says where the value of a parameter comes from: the capture grammar.
//
//	ret                  OpRet      the call's result
//	aN                   OpArg      argument N, as wide as the parameter
//	=K                   OpConst    the number K
//	str(aN)              OpStr      the NUL-terminated string at argument N
//	sockaddr(aN,aM)      OpSockAddr the socket address of aM bytes at argument N
//	u32(aN+K) u64(aN+K)  OpMem      the number K bytes behind argument N, 0 if unreadable
//	@name(aN,aM)         OpFunc     a named function, with at most two arguments
//
// "|table" behind a number translates it from the kernel's bits to Falco's.
// "?" (OpNone) marks what is not captured yet: calls whose event has such a
// parameter are sent as generic events.
type Op uint8

// Sources of a value.
const (
	OpNone Op = iota
	OpRet
	OpArg
	OpConst
	OpStr
	OpSockAddr
	OpMem
	OpFunc
)

// Source is one parameter's place in the capture grammar.
type Source struct {
	Op    Op
	A, B  uint8  // argument numbers
	Width uint8  // OpMem: bytes
	Off   uint16 // OpMem: offset
	Table Trans  // translation, or [NoTrans]
	Func  Func   // OpFunc
	Const int64  // OpConst
}

// Flag is a name of a bit or of a value.
type Flag struct {
	Name  string
	Value uint32
	Since Tag
}

// Pair is a native number and what it turns into.
type Pair struct{ Native, PPM uint32 }

// Translation turns a native number into Falco's.
type Translation struct {
	Access   []Pair // by the two lowest bits
	Bits     []Pair // any bit of Native sets PPM
	Equal    []Pair // the whole value
	Else     uint32 // when no Equal fits
	NonNeg   bool   // a negative 32-bit number gives 0
	Numbered bool   // Equal and Else apply
}

// Apply translates v, of which only the low 32 bits count.
func (t *Translation) Apply(v uint64) uint64 {
	n := uint32(v)
	if t.NonNeg && int32(n) < 0 {
		return 0
	}
	if t.Numbered {
		for _, p := range t.Equal {
			if p.Native == n {
				return uint64(p.PPM)
			}
		}
		return uint64(t.Else)
	}
	var out uint32
	for _, p := range t.Bits {
		if n&p.Native != 0 {
			out |= p.PPM
		}
	}
	for _, p := range t.Access {
		if n&3 == p.Native {
			out |= p.PPM
		}
	}
	return uint64(out)
}

// Translate translates v, a number of a call of architecture a, by table t.
// Without a table v is returned unchanged.
func (t Trans) Translate(a Arch, v uint64) uint64 {
	if t == NoTrans {
		return v
	}
	if a == ARM64 || a == ARM {
		return translations[t].arm64.Apply(v)
	}
	return translations[t].amd64.Apply(v)
}

// Trans is a table of table/translate.txt.
type Trans uint8

// NoTrans leaves a number as it is.
const NoTrans Trans = 0

// Func is a named function of the capture grammar; package tracer implements
// all of them.
type Func uint8

// String returns the name as in table/events.txt, without the @.
func (f Func) String() string { return funcNames[f] }

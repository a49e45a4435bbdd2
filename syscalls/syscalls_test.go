package syscalls

import "testing"

func TestEventOfCall(t *testing.T) {
	for _, tt := range []struct {
		name    string
		ceiling int
		enter   uint16
		ok      bool
	}{
		{"openat", CeilingA, 306, true},
		{"accept4", CeilingA, 248, true},
		{"accept4", CeilingB, 248, true},
		{"accept4", CeilingC, 388, true},
		{"dup2", CeilingA, 124, true},
		{"dup2", CeilingNewest, 362, true},
		{"memfd_create", CeilingB, 0, false},
		{"memfd_create", CeilingC, 404, true},
		{"keyctl", CeilingC, 0, false},
		{"keyctl", CeilingNewest, 452, true},
		{"uname", CeilingNewest, 0, false},
	} {
		c := LookupName(tt.name)
		if c == nil {
			t.Fatalf("no call %s", tt.name)
		}
		if enter, ok := c.Event(tt.ceiling); enter != tt.enter || ok != tt.ok {
			t.Errorf("%s for readers of codes below %d: %d, %v, want %d, %v", tt.name, tt.ceiling, enter, ok, tt.enter, tt.ok)
		}
	}
}

func TestNumbersAreUnique(t *testing.T) {
	names := map[string]bool{}
	for i := range Calls {
		c := &Calls[i]
		if names[c.Name] {
			t.Errorf("two lines for %s", c.Name)
		}
		names[c.Name] = true
		for a := range NumArch {
			if n := int(c.Nr[a]); n >= 0 && Lookup(a, n) != c {
				t.Errorf("number %d of architecture %d is that of %s too", n, a, c.Name)
			}
		}
	}
}

func TestLookupOutside(t *testing.T) {
	for _, n := range []int{-1, 1 << 20} {
		if c := Lookup(AMD64, n); c != nil {
			t.Errorf("Lookup(%d) = %s, want none", n, c.Name)
		}
	}
}

// A call that the tables of readers lack has no number that they know.
func TestSCKnown(t *testing.T) {
	memfd := LookupName("memfd_create")
	if got := memfd.SCKnown(CeilingA); got != 0 {
		t.Errorf("memfd_create for the oldest reader: %d, want 0", got)
	}
	if got := memfd.SCKnown(CeilingNewest); got != memfd.SC {
		t.Errorf("memfd_create for the newest reader: %d, want %d", got, memfd.SC)
	}
	if got := LookupName("uname").SCKnown(CeilingA); got != 67 {
		t.Errorf("uname: %d, want 67", got)
	}
}

func TestTranslate(t *testing.T) {
	for _, tt := range []struct {
		table Trans
		arch  Arch
		in    uint64
		want  uint64
	}{
		{TransOpenFlags, AMD64, 0, 1},                    // O_RDONLY
		{TransOpenFlags, AMD64, 0x80000, 0x1001},         // O_CLOEXEC
		{TransOpenFlags, AMD64, 0x10000, 0x2401},         // O_DIRECTORY raises O_TMPFILE too
		{TransOpenFlags, ARM64, 0x4000, 0x2401},          // the same on arm64
		{TransOpenFlags, AMD64, 0x4000, 0x201},           // O_DIRECT
		{TransOpenFlags, ARM64, 0x10000, 0x201},          // the same on arm64
		{TransOpenFlags, AMD64, 0x42, 7},                 // O_RDWR|O_CREAT
		{TransInotifyInit1Flags, AMD64, 1<<32 - 1, 0},    // a negative argument
		{TransInotifyInit1Flags, AMD64, 0x80000, 0x1000}, // IN_CLOEXEC
		{TransShutdownHow, AMD64, 7, 0xffff},             // no such value
		{TransShutdownHow, AMD64, 2, 2},                  // SHUT_RDWR
		{TransFcntlCmd, AMD64, 1030, 0x1a},               // F_DUPFD_CLOEXEC
		{TransSocketFamily, AMD64, 10 | 0xff<<32, 10},    // the low half counts
		{NoTrans, AMD64, 0xffffffffffff, 0xffffffffffff}, // unchanged
	} {
		if got := tt.table.Translate(tt.arch, tt.in); got != tt.want {
			t.Errorf("table %d, architecture %d: %#x gives %#x, want %#x", tt.table, tt.arch, tt.in, got, tt.want)
		}
	}
}

// A newer code that older readers can be shown begins as the older one does.
func TestOlder(t *testing.T) {
	for typ := uint16(CeilingA); typ < NumEvents; typ++ {
		o := Older(typ)
		if o == typ {
			continue
		}
		if o >= CeilingA || o&1 != typ&1 {
			t.Errorf("%d is shown as %d", typ, o)
		}
		for i := range min(len(Events[typ].Params), len(Events[o].Params)) {
			if a, b := Events[typ].Params[i], Events[o].Params[i]; b.Since == 0 && a.Type != b.Type {
				t.Errorf("%d parameter %d is a %v, of %d a %v", typ, i, a.Type, o, b.Type)
			}
		}
	}
	if got := Older(363); got != 125 {
		t.Errorf("dup2 is shown as %d, want 125", got)
	}
}

// Every event of a system call says where all its parameters come from.
func TestEveryEventIsCaptured(t *testing.T) {
	for i := range Calls {
		for _, e := range Calls[i].Enter {
			for _, typ := range []uint16{e, e + 1} {
				if !Events[typ].Captured() {
					t.Errorf("%s: event %d has a parameter without a source", Calls[i].Name, typ)
				}
			}
		}
	}
}

package event

// Names resolves the numbers of an event in the context of its thread, at the
// time of the event.
type Names interface {
	// Thread returns the comm of a thread.
	Thread(tid int64) (comm string, ok bool)
	// FD returns what a descriptor of the event's thread is.
	FD(fd int64) (FDName, bool)
	// Cwd returns the working directory of the event's thread, or "" if it is
	// not known.
	Cwd() string
	// User returns the name of a user, or "".
	User(uid uint32) string
	// Group returns the name of a group, or "".
	Group(gid uint32) string
}

// FDName is how a descriptor is shown: <f>/etc/passwd, <4t>1.2.3.4:1->5.6.7.8:2.
type FDName struct {
	Letter byte   // its kind: f file, d directory, 4 and 6 sockets, u unix, p pipe, ...
	L4     byte   // of an IP socket: t, u, i, r; 0 unknown
	Name   string // may hold any byte
}

// UserFault is the letter of what userfaultfd makes, which is shown like a unix socket.
const UserFault = 'U'

// Char is the letter that the kind is shown with.
func (n FDName) Char() byte {
	if n.Letter == UserFault {
		return 'u'
	}
	return n.Letter
}

func (n FDName) appendTo(dst []byte) []byte {
	dst = append(dst, '<', n.Char())
	if n.L4 != 0 {
		dst = append(dst, n.L4)
	}
	dst = append(dst, '>')
	return AppendPrintable(dst, n.Name)
}

func printable(c byte) bool { return c >= ' ' && c <= '~' }

// AppendPrintable drops what is not printable ASCII, as sysdig does in paths, addresses and
// names of descriptors and users.
func AppendPrintable[T string | []byte](dst []byte, s T) []byte {
	for i := range len(s) {
		if c := s[i]; printable(c) {
			dst = append(dst, c)
		}
	}
	return dst
}

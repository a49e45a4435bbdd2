package procfs

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Socket is one of a network namespace.
type Socket struct {
	Ino           uint64
	Family        uint8 // unix.AF_*
	Proto         uint8 // unix.IPPROTO_* of an internet socket
	Type          uint8 // unix.SOCK_*, 0 if not known
	Listens       bool
	Local, Remote netip.AddrPort // of an internet socket; Remote is all zero if it has none
	Path          []byte         // of a unix socket with a name, @ for each NUL; valid until the next one
}

// Sockets calls f for the sockets of the network namespace that a process is in,
// until f returns false. Kinds of sockets that cannot be read are left out.
func Sockets(root string, pid int, f func(*Socket) bool) {
	dir := filepath.Join(root, strconv.Itoa(pid), "net")
	for _, k := range socketKinds {
		if !k.read(filepath.Join(dir, k.name), f) {
			return
		}
	}
}

// MayBeUnix reports whether a descriptor is a unix socket, or cannot be told. Their names
// stand in the list as they are, so one with a newline makes a line for any other socket.
func MayBeUnix(root string, pid, fd int) bool {
	var protocol [32]byte
	name := filepath.Join(root, strconv.Itoa(pid), "fd", strconv.Itoa(fd))
	n, err := unix.Getxattr(name, "system.sockprotoname", protocol[:])
	return err != nil || n <= 1 || bytes.HasPrefix(protocol[:n], []byte("UNIX"))
}

// socketKind is a file with sockets of one kind.
type socketKind struct {
	name   string
	sock   Socket // what all of them have
	parse  func([][]byte, *Socket) bool
	fields int
}

var socketKinds = [...]socketKind{
	{"tcp", Socket{Family: unix.AF_INET, Proto: unix.IPPROTO_TCP, Type: unix.SOCK_STREAM}, parseInternet, 10},
	{"tcp6", Socket{Family: unix.AF_INET6, Proto: unix.IPPROTO_TCP, Type: unix.SOCK_STREAM}, parseInternet, 10},
	{"unix", Socket{Family: unix.AF_UNIX}, parseUnix, 7},
	{"udp", Socket{Family: unix.AF_INET, Proto: unix.IPPROTO_UDP, Type: unix.SOCK_DGRAM}, parseInternet, 10},
	{"udp6", Socket{Family: unix.AF_INET6, Proto: unix.IPPROTO_UDP, Type: unix.SOCK_DGRAM}, parseInternet, 10},
	{"icmp", Socket{Family: unix.AF_INET, Proto: unix.IPPROTO_ICMP, Type: unix.SOCK_DGRAM}, parseInternet, 10},
	{"icmp6", Socket{Family: unix.AF_INET6, Proto: unix.IPPROTO_ICMPV6, Type: unix.SOCK_DGRAM}, parseInternet, 10},
	{"raw", Socket{Family: unix.AF_INET, Proto: unix.IPPROTO_RAW, Type: unix.SOCK_RAW}, parseInternet, 10},
	{"raw6", Socket{Family: unix.AF_INET6, Proto: unix.IPPROTO_RAW, Type: unix.SOCK_RAW}, parseInternet, 10},
	{"netlink", Socket{Family: unix.AF_NETLINK}, parseNetlink, 10},
}

// read passes on what a file has and reports whether more is wanted.
func (k *socketKind) read(name string, f func(*Socket) bool) bool {
	file, err := os.Open(name)
	if err != nil {
		return true
	}
	defer file.Close()
	lines := bufio.NewScanner(file) // which bounds a line
	lines.Scan()                    // the heading
	var fields [16][]byte
	for lines.Scan() {
		s := k.sock
		if n := split(fields[:k.fields+1], lines.Bytes()); n >= k.fields && k.parse(fields[:n], &s) && !f(&s) {
			return false
		}
	}
	return true
}

// split cuts a line into words; the last place takes the rest of the line.
func split(dst [][]byte, line []byte) (n int) {
	for line = bytes.TrimLeft(line, " "); len(line) > 0 && n < len(dst); n++ {
		if n == len(dst)-1 {
			dst[n], line = line, nil
			continue
		}
		dst[n], line, _ = bytes.Cut(line, []byte(" "))
		line = bytes.TrimLeft(line, " ")
	}
	return n
}

// The states of a socket of TCP that listens, and the flag of one of AF_UNIX.
const (
	stateListens = 0x0a
	flagListens  = 1 << 16
)

// parseInternet reads: number, local and remote address, state, queues, timers,
// retransmissions, user, timeout, inode.
func parseInternet(fields [][]byte, s *Socket) bool {
	var okLocal, okRemote bool
	s.Local, okLocal = parseAddr(fields[1])
	s.Remote, okRemote = parseAddr(fields[2])
	state, err := strconv.ParseUint(string(fields[3]), 16, 8)
	s.Listens = err == nil && s.Type == unix.SOCK_STREAM && state == stateListens
	return parseIno(fields[9], s) && okLocal && okRemote
}

// parseAddr reads an address in words of the machine and a port: 0100007F:0016.
func parseAddr(text []byte) (netip.AddrPort, bool) {
	words, port, _ := bytes.Cut(text, []byte(":"))
	var raw [16]byte
	if len(words) != 8 && len(words) != 32 {
		return netip.AddrPort{}, false
	}
	n, err := hex.Decode(raw[:], words)
	if err != nil {
		return netip.AddrPort{}, false
	}
	for i := 0; i < n; i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	a, _ := netip.AddrFromSlice(raw[:n])
	p, err := strconv.ParseUint(string(port), 16, 16)
	return netip.AddrPortFrom(a, uint16(p)), err == nil
}

// parseUnix reads: address, references, protocol, flags, type, state, inode, and
// the path.
func parseUnix(fields [][]byte, s *Socket) bool {
	flags, err := strconv.ParseUint(string(fields[3]), 16, 32)
	s.Listens = err == nil && flags&flagListens != 0
	typ, err := strconv.ParseUint(string(fields[4]), 16, 8)
	s.Type = uint8(typ)
	if len(fields) > 7 {
		s.Path = fields[7]
	}
	return err == nil && parseIno(fields[6], s)
}

// parseNetlink reads what ends with the inode.
func parseNetlink(fields [][]byte, s *Socket) bool { return parseIno(fields[9], s) }

func parseIno(text []byte, s *Socket) bool {
	ino, err := strconv.ParseUint(string(text), 10, 64)
	s.Ino = ino
	return err == nil && ino != 0
}

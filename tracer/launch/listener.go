package launch

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// listener is how the descriptor of the filter's listener comes over: its
// number is known to the process only once the script runs, and fetching it
// with pidfd_getfd is refused by the default profiles of container engines. So the
// process sends it to a datagram socket of the tracer. That socket has an
// address that the kernel has chosen, in the abstract name space, because a
// directory to put it in need not exist.
type listener struct {
	socket int // of the tracer, or -1
	err    error
}

// errNoListener is what Listener returns when the plan did not ask for one.
var errNoListener = errors.New("no listener was asked for")

// openListener tells whether the tracer has a socket to receive on. Without
// one, as where AF_UNIX is forbidden, the filter goes in without a listener.
func (o *Original) openListener() bool {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		o.listener.err = fmt.Errorf("socket: %w", err)
		return false
	}
	// Anybody in the network namespace may send to it: the kernel's word about
	// the sender tells the right message from others.
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{})
	}
	if err != nil {
		o.listener.err = fmt.Errorf("listener: %w", err)
		unix.Close(fd)
		return false
	}
	o.listener.socket = fd
	return true
}

// Offsets in struct msghdr and struct cmsghdr of 64-bit kernels.
const (
	msgName       = 0
	msgNameLen    = 8
	msgIov        = 16
	msgIovLen     = 24
	msgControl    = 32
	msgControlLen = 40
	msgSize       = 56

	cmsgLevel = 8
	cmsgType  = 12
	cmsgData  = 16
	cmsgSize  = 24 // with one descriptor and its padding
)

// loadMessage writes what sendmsg sends: one byte, and the descriptor that one
// of the listening calls of seccomp returns.
func (o *Original) loadMessage(listening []*entry) {
	s, c := &o.script, &o.calls
	name, err := o.listenerAddress()
	if err != nil {
		o.listener.err = err // the message will have no address, and fail
	}
	put32, put64 := binary.NativeEndian.PutUint32, binary.NativeEndian.PutUint64

	control := s.space(cmsgSize)
	put64(control, cmsgData+4)
	put32(control[cmsgLevel:], unix.SOL_SOCKET)
	put32(control[cmsgType:], unix.SCM_RIGHTS)

	iov := s.space(16)
	put64(iov, at(control)) // any byte will do
	put64(iov[8:], 1)

	msg := s.space(msgSize)
	put64(msg[msgName:], at(s.bytes(name)))
	put32(msg[msgNameLen:], uint32(len(name)))
	put64(msg[msgIov:], at(iov))
	put64(msg[msgIovLen:], 1)
	put64(msg[msgControl:], at(control))
	put64(msg[msgControlLen:], cmsgSize)

	for _, e := range listening {
		e.dst = at(control[cmsgData:])
	}
	c.send.args[1] = at(msg)
	c.socket.dst = addr(&c.send.args[0])
}

// listenerAddress is the socket's address as the kernel writes it.
func (o *Original) listenerAddress() ([]byte, error) {
	sa, err := unix.Getsockname(o.listener.socket)
	if err != nil {
		return nil, fmt.Errorf("getsockname: %w", err)
	}
	bound, ok := sa.(*unix.SockaddrUnix)
	if !ok || len(bound.Name) < 2 {
		return nil, errors.New("getsockname: not an abstract address")
	}
	name := binary.NativeEndian.AppendUint16(nil, unix.AF_UNIX)
	name = append(name, 0) // x/sys shows it as @
	return append(name, bound.Name[1:]...), nil
}

// Listener returns the descriptor of the filter's listener, which has to stay
// open as long as the tracer lives; nobody ever reads from it. The error is
// why there is none. It is called once, at the first stop in execve.
func (o *Original) Listener() (int, error) {
	l := &o.listener
	if l.socket < 0 {
		if l.err == nil {
			return -1, errNoListener
		}
		return -1, l.err
	}
	defer func() {
		unix.Close(l.socket)
		l.socket = -1
	}()
	switch c := &o.calls; {
	case l.err != nil:
		return -1, l.err
	case int64(c.send.args[0]) < 0: // the result of socket
		return -1, fmt.Errorf("socket: %w", unix.Errno(-int64(c.send.args[0])))
	case c.send.res == notRun:
		return -1, errors.New("seccomp: the kernel gave no listener")
	case c.send.res < 0:
		return -1, fmt.Errorf("sendmsg: %w", unix.Errno(-c.send.res))
	}
	return l.receive(o.pid)
}

// maxStrays bounds how many messages of others are skipped.
const maxStrays = 64

// receive takes the message of the process with the given pid.
func (l *listener) receive(pid int) (int, error) {
	var data [1]byte
	control := make([]byte, 256)
	for range maxStrays {
		_, n, _, _, err := unix.Recvmsg(l.socket, data[:], control, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
		if err != nil {
			return -1, fmt.Errorf("recvmsg: %w", err)
		}
		sender, fds := parseControl(control[:n])
		if sender == pid && len(fds) == 1 {
			return fds[0], nil
		}
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
	return -1, errors.New("recvmsg: too many messages of other processes")
}

// parseControl returns the sender and the descriptors of a message.
func parseControl(control []byte) (sender int, fds []int) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return 0, nil
	}
	for i := range messages {
		if cred, err := unix.ParseUnixCredentials(&messages[i]); err == nil {
			sender = int(cred.Pid)
		}
		if rights, err := unix.ParseUnixRights(&messages[i]); err == nil {
			fds = append(fds, rights...)
		}
	}
	return sender, fds
}

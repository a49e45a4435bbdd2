package event

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/pdig/pdig/syscalls"
	"golang.org/x/sys/unix"
)

// The language of the test data says what is in a parameter of each type:
//
//	numbers               as in Go
//	strings and data      as in Go, "..."; strings get their NUL
//	SOCKADDR              1.2.3.4:80  [::1]:80  unix:/path
//	SOCKTUPLE             1.2.3.4:80->5.6.7.8:90  unix:aa->bb:/path (numbers are hexadecimal)
//	FDLIST                fd:events,fd:events (events are hexadecimal)
//	DYN                   selector:value
//	any type              - for no bytes, x... for bytes in hexadecimal
//
// Addresses pass through those that the system calls use.

// putValue writes a parameter.
func putValue(e *Encoder, p *syscalls.Param, text string) error {
	switch {
	case text == "-":
		e.Empty()
		return nil
	case strings.HasPrefix(text, "x"):
		b, err := hex.DecodeString(text[1:])
		e.Bytes(b)
		return err
	case p.Type == syscalls.SockTuple:
		return putTuple(e, text)
	case p.Type == syscalls.SockAddr:
		raw, err := rawSockAddr(text)
		e.SockAddr(raw)
		return err
	}
	b, err := bytesOf(p, text)
	if p.Type.Size() > 0 && err == nil {
		e.Int(p.Type.Size(), binary.NativeEndian.Uint64(append(b, make([]byte, 8)...)))
		return nil
	}
	e.Bytes(b)
	return err
}

// bytesOf encodes a value of any type but the addresses.
func bytesOf(p *syscalls.Param, text string) ([]byte, error) {
	switch p.Type {
	case syscalls.CharBuf, syscalls.FSPath, syscalls.FSRelPath:
		s, err := strconv.Unquote(text)
		return []byte(s + "\x00"), err
	case syscalls.ByteBuf, syscalls.CharBufArray, syscalls.CharBufPairs:
		s, err := strconv.Unquote(text)
		return []byte(s), err
	case syscalls.FDList:
		return fdListOf(text)
	case syscalls.Dyn:
		selector, value, _ := strings.Cut(text, ":")
		n, err := strconv.ParseUint(selector, 0, 8)
		if err != nil || n >= uint64(len(p.Dyn)) {
			return nil, fmt.Errorf("selector %q: %w", selector, err)
		}
		b, err := bytesOf(&p.Dyn[n], value)
		return append([]byte{byte(n)}, b...), err
	}
	n, err := strconv.ParseInt(text, 0, 64)
	if err != nil {
		var u uint64
		u, err = strconv.ParseUint(text, 0, 64)
		n = int64(u)
	}
	return binary.NativeEndian.AppendUint64(nil, uint64(n))[:p.Type.Size()], err
}

func fdListOf(text string) ([]byte, error) {
	parts := strings.Split(text, ",")
	b := u16(len(parts))
	for _, part := range parts {
		var fd int64
		var events uint16
		if _, err := fmt.Sscanf(part, "%d:%x", &fd, &events); err != nil {
			return nil, err
		}
		b = binary.NativeEndian.AppendUint64(b, uint64(fd))
		b = binary.NativeEndian.AppendUint16(b, events)
	}
	return b, nil
}

func putTuple(e *Encoder, text string) error {
	if rest, ok := strings.CutPrefix(text, "unix:"); ok {
		var source, dest uint64
		numbers, path, _ := strings.Cut(rest, ":")
		if _, err := fmt.Sscanf(numbers, "%x->%x", &source, &dest); err != nil {
			return err
		}
		raw, err := rawSockAddr("unix:" + path)
		e.UnixTuple(source, dest, raw)
		return err
	}
	from, to, _ := strings.Cut(text, "->")
	source, err := rawSockAddr(from)
	if err != nil {
		return err
	}
	dest, err := rawSockAddr(to)
	e.Tuple(source, dest)
	return err
}

// rawSockAddr is an address as system calls have it.
func rawSockAddr(text string) ([]byte, error) {
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		return append(u16(unix.AF_UNIX), path...), nil
	}
	if text == "" {
		return nil, nil
	}
	a, err := netip.ParseAddrPort(text)
	if err != nil {
		return nil, err
	}
	port := binary.BigEndian.AppendUint16(nil, a.Port())
	ip := a.Addr().AsSlice()
	if a.Addr().Is4() {
		return append(append(append(u16(unix.AF_INET), port...), ip...), make([]byte, 8)...), nil
	}
	b := append(append(u16(unix.AF_INET6), port...), 0, 0, 0, 0)
	return append(append(b, ip...), 0, 0, 0, 0), nil
}

// putEvent writes an event of which params are the first parameters.
func putEvent(e *Encoder, ts uint64, tid int64, typ uint16, params []string) ([]byte, error) {
	table := syscalls.Events[typ].Params
	if len(params) > len(table) {
		return nil, fmt.Errorf("event %d has %d parameters only", typ, len(table))
	}
	e.Begin(ts, tid, typ, len(params))
	for i, text := range params {
		if err := putValue(e, &table[i], text); err != nil {
			return nil, fmt.Errorf("%s: %w", table[i].Name, err)
		}
	}
	return e.End()
}

// words splits at blanks outside of quotes.
func words(line string) []string {
	var out []string
	for line = strings.TrimLeft(line, " \t"); line != ""; line = strings.TrimLeft(line, " \t") {
		n := strings.IndexAny(line, " \t")
		if q, err := strconv.QuotedPrefix(line); err == nil {
			n = len(q)
		}
		if n < 0 {
			n = len(line)
		}
		out, line = append(out, line[:n]), line[n:]
	}
	return out
}

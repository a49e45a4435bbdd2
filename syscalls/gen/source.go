package main

import (
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// source is a parsed place in the capture grammar, see syscalls.Op.
type source struct {
	op           string
	a, b         int
	width, off   int
	trans, fn, k string
}

var sourceForms = []struct {
	re   *regexp.Regexp
	fill func(*source, []string)
}{
	{regexp.MustCompile(`^ret$`), func(s *source, m []string) { s.op = "OpRet" }},
	{regexp.MustCompile(`^a([0-5])$`), func(s *source, m []string) { s.op, s.a = "OpArg", atoi(m[1]) }},
	{regexp.MustCompile(`^=(-?\d+)$`), func(s *source, m []string) { s.op, s.k = "OpConst", m[1] }},
	{regexp.MustCompile(`^str\(a([0-5])\)$`), func(s *source, m []string) { s.op, s.a = "OpStr", atoi(m[1]) }},
	{regexp.MustCompile(`^sockaddr\(a([0-5]),a([0-5])\)$`), func(s *source, m []string) { s.op, s.a, s.b = "OpSockAddr", atoi(m[1]), atoi(m[2]) }},
	{regexp.MustCompile(`^u(32|64)\(a([0-5])\+(\d+)\)$`), func(s *source, m []string) {
		s.op, s.width, s.a, s.off = "OpMem", atoi(m[1])/8, atoi(m[2]), atoi(m[3])
	}},
	{regexp.MustCompile(`^@([a-z0-9]+)(?:\(a?(\d)(?:,a?(\d))?\))?$`), func(s *source, m []string) {
		s.op, s.fn, s.a, s.b = "OpFunc", m[1], atoi(m[2]), atoi(m[3])
	}},
}

// atoi is for digits that a pattern has matched, or nothing.
func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

func (t *tables) parseSource(text string) (s source, err error) {
	if text == "?" || text == "-" {
		s.op = "OpNone"
		return s, nil
	}
	text, s.trans, _ = strings.Cut(text, "|")
	if s.trans != "" && t.transTables.rows[s.trans] == nil {
		return s, fmt.Errorf("no translation %q", s.trans)
	}
	for _, form := range sourceForms {
		if m := form.re.FindStringSubmatch(text); m != nil {
			form.fill(&s, m)
			t.addFunc(s.fn)
			return s, nil
		}
	}
	return s, fmt.Errorf("unknown source %q", text)
}

func (t *tables) addFunc(name string) {
	if name != "" && !slices.Contains(t.funcs, name) {
		t.funcs = append(t.funcs, name)
		sort.Strings(t.funcs)
	}
}

// typeConst is the Go constant of a wire type.
var typeConst = map[string]string{
	"NONE": "None", "INT8": "Int8", "INT16": "Int16", "INT32": "Int32", "INT64": "Int64",
	"UINT8": "Uint8", "UINT16": "Uint16", "UINT32": "Uint32", "UINT64": "Uint64",
	"CHARBUF": "CharBuf", "BYTEBUF": "ByteBuf", "ERRNO": "Errno", "SOCKADDR": "SockAddr",
	"SOCKTUPLE": "SockTuple", "FD": "FD", "PID": "PID", "FDLIST": "FDList", "FSPATH": "FSPath",
	"SYSCALLID": "SyscallID", "SIGTYPE": "SigType", "RELTIME": "RelTime", "ABSTIME": "AbsTime",
	"PORT": "Port", "L4PROTO": "L4Proto", "SOCKFAMILY": "SockFamily", "BOOL": "Bool",
	"IPV4ADDR": "IPv4Addr", "DYN": "Dyn", "FLAGS8": "Flags8", "FLAGS16": "Flags16",
	"FLAGS32": "Flags32", "UID": "UID", "GID": "GID", "DOUBLE": "Double", "SIGSET": "SigSet",
	"CHARBUFARRAY": "CharBufArray", "CHARBUF_ARRAY": "CharBufArray", "CHARBUF_PAIR_ARRAY": "CharBufPairs",
	"IPV4NET": "IPv4Net", "IPV6ADDR": "IPv6Addr", "IPV6NET": "IPv6Net", "IPADDR": "IPAddr",
	"IPNET": "IPNet", "MODE": "Mode", "FSRELPATH": "FSRelPath", "ENUMFLAGS8": "EnumFlags8",
	"ENUMFLAGS16": "EnumFlags16", "ENUMFLAGS32": "EnumFlags32", "FD32": "FD32", "PID32": "PID32",
}

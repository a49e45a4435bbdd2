package filter

import (
	"encoding/hex"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
)

// parseConst reads a constant as a value of the check's type.
func parseConst(k *check, s string) (c constant, err error) {
	switch k.typ {
	case String, Bytes:
		return textConst(k.op, s)
	case Int:
		var n int64
		n, err = strconv.ParseInt(s, 10, 64)
		c.Num = uint64(n)
	case Uint:
		if c.Num, err = strconv.ParseUint(s, 10, 64); err != nil && strings.HasPrefix(s, "-") {
			var n int64
			n, err = strconv.ParseInt(s, 10, 64)
			c.Num = uint64(n)
		}
	case Float:
		var f float64
		f, err = strconv.ParseFloat(s, 64)
		c.Num = math.Float64bits(f)
	case Bool:
		if s != "true" && s != "false" {
			return c, fmt.Errorf("%q is neither true nor false", s)
		}
		if s == "true" {
			c.Num = 1
		}
	case Port:
		c.Num, err = port(s)
		return c, err
	case Addr:
		if c.Addr, err = netip.ParseAddr(s); err != nil || c.Addr.Zone() != "" {
			return c, fmt.Errorf("%q is no address", s)
		}
	case Net:
		if c.net, err = netip.ParsePrefix(s); err != nil {
			return c, fmt.Errorf("%q is no network such as 10.0.0.0/8 or fe80::/10", s)
		}
	}
	if err != nil {
		return c, fmt.Errorf("%q is not a number", s)
	}
	return c, nil
}

// textConst reads a constant for a string or bytes.
func textConst(op Op, s string) (c constant, err error) {
	c.Text = []byte(s)
	c.pattern = c.Text
	switch op {
	case BContains, BStartsWith:
		if c.Text, err = hex.DecodeString(s); err != nil {
			return c, fmt.Errorf("%q is not an even number of hexadecimal digits", s)
		}
	case Regex:
		c.regex, err = compileRegex(s)
	case PMatch:
		c.path = makePath(s)
	}
	return c, err
}

// compileRegex compiles a regular expression of POSIX that has to fit the whole
// string. A dot is any character but a newline.
func compileRegex(s string) (*regexp.Regexp, error) {
	re, err := syntax.Parse(s, syntax.ClassNL|syntax.OneLine)
	if err != nil {
		return nil, err
	}
	return regexp.Compile(`\A(?:` + re.String() + `)\z`)
}

package filter

import (
	"fmt"
	"net/netip"
	"strings"
)

// mock are fields by name.
type mock map[string]mockField

type mockField struct {
	kind    string
	value   any // nil: missing
	list    bool
	several Several
}

var mockTypes = map[string]Type{
	"string": String, "bytes": Bytes, "bool": Bool, "ip": Addr, "ipnet": Net, "port": Port,
	"int64": Int, "uint64": Uint, "uint32": Uint, "double": Float,
}

// eval is true, false or "error".
func (m mock) eval(expr string) any {
	s := &mockSchema{m: m}
	p, err := Compile(expr, s)
	if err != nil {
		return "error"
	}
	return p.Match(s)
}

type mockSchema struct {
	m     mock
	names []string
}

func (s *mockSchema) Field(name string, arg *string) (Field, error) {
	if arg != nil {
		name += "[" + *arg + "]"
	}
	f, ok := s.m[name]
	if !ok {
		return Field{}, fmt.Errorf("no field %q", name)
	}
	s.names = append(s.names, name)
	several := f.several
	if f.list {
		several = List
	}
	return Field{Ref: len(s.names) - 1, Type: mockTypes[f.kind], Several: several}, nil
}

func (s *mockSchema) Value(ref int, v *Values) bool {
	f := s.m[s.names[ref]]
	if f.value == nil {
		return false
	}
	list, ok := f.value.([]any)
	if !ok {
		list = []any{f.value}
	}
	for _, one := range list {
		text := fmt.Sprint(one)
		if n, ok := one.(float64); ok {
			text = strings.TrimSuffix(fmt.Sprintf("%.0f", n), ".")
		}
		switch typ := mockTypes[f.kind]; typ {
		case String, Bytes:
			v.Str(text)
		case Addr, Net:
			v.Addr(netip.MustParseAddr(text))
		default:
			if text == "18446744073709551616" { // which is as near as JSON comes
				text = "18446744073709551615"
			}
			c, err := parseConst(&check{typ: typ}, text)
			if err != nil {
				panic(err)
			}
			v.Uint(c.Num)
		}
	}
	return true
}

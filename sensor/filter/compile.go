package filter

import (
	"errors"
	"fmt"
)

// Program is a condition that can be evaluated.
type Program struct {
	root  *node
	codes Codes
	names []string
}

// node is a part of a program.
type node struct {
	kind  Kind
	kids  []*node
	check *check
}

// Compile parses and compiles a condition. Errors are of type [*Error].
func Compile(text string, fields Schema) (*Program, error) {
	n, err := Parse(text)
	if err != nil {
		return nil, err
	}
	return CompileNode(n, text, fields)
}

// CompileNode compiles what [Parse] has made of text, after all macros have been
// replaced.
func CompileNode(n *Node, text string, fields Schema) (*Program, error) {
	c := compiler{fields: fields}
	root, err := c.node(n)
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			e.Text, e.Pos = text, Place(text, e.Pos.Offset)
		}
		return nil, err
	}
	codes := c.codes(n, false)
	return &Program{root: root, codes: codes, names: c.names}, nil
}

// Match evaluates the condition.
func (p *Program) Match(src Source) bool { return p.root.match(src) }

// Codes returns the codes of the events that can fulfil the condition.
func (p *Program) Codes() Codes { return p.codes }

// Names returns the names of events that the condition looks for, and not those that
// it only excludes.
func (p *Program) Names() []string { return p.names }

func (n *node) match(src Source) bool {
	switch n.kind {
	case And:
		for _, kid := range n.kids {
			if !kid.match(src) {
				return false
			}
		}
		return true
	case Or:
		for _, kid := range n.kids {
			if kid.match(src) {
				return true
			}
		}
		return false
	case Not:
		return !n.kids[0].match(src)
	}
	return n.check.match(src)
}

type compiler struct {
	fields Schema
	names  []string
}

// refuse is an error at an offset.
func refuse(at int, format string, args ...any) error {
	return &Error{Pos: Pos{Offset: at}, Msg: fmt.Sprintf(format, args...)}
}

// because is an error with a cause.
func because(at int, err error) error {
	return &Error{Pos: Pos{Offset: at}, Msg: err.Error(), Err: err}
}

func (c *compiler) node(n *Node) (*node, error) {
	switch n.Kind {
	case Macro:
		if n.Name == "and" || n.Name == "or" || n.Name == "not" {
			return nil, refuse(n.At, `expected a field, "(" or the name of a macro beside %q`, n.Name)
		}
		return nil, refuse(n.At, "%q is neither a field with a dot in its name nor a macro that is known here", n.Name)
	case Check:
		check, err := c.check(n)
		return &node{kind: Check, check: check}, err
	}
	out := &node{kind: n.Kind}
	for _, kid := range n.Kids {
		k, err := c.node(kid)
		if err != nil {
			return nil, err
		}
		out.kids = append(out.kids, k)
	}
	return out, nil
}

// fieldOf is the field of an expression without transformers.
func (c *compiler) fieldOf(e *Expr) (Field, error) {
	if e.Call {
		return Field{}, errNoField
	}
	return c.fields.Field(e.Name, e.Arg)
}

var errNoField = errors.New("filter: no field")

// check compiles one comparison.
func (c *compiler) check(n *Node) (*check, error) {
	left, err := c.operand(n.Left)
	if err != nil {
		return nil, err
	}
	k := &check{left: left, op: n.Op, how: n.How, typ: left.typ, several: left.several, firstInList: left.field.FirstInList}
	if left.field.Within {
		if n.Op != EQ {
			return nil, refuse(n.At, "%s can only stand before =", n.Left.Name)
		}
		k.op = LE
	}
	if err := allowed(n, left); err != nil {
		return nil, err
	}
	if n.Op == Exists {
		return k, nil
	}
	if n.Right != nil {
		k.right, err = c.right(n, left)
		return k, err
	}
	for _, s := range n.Consts {
		if len(s) > MaxConst {
			return nil, refuse(n.At, "the constant %.20q... is longer than %d bytes", s, MaxConst)
		}
		if left.kind == fieldOperand && left.field.Check != nil {
			if err := left.field.Check(s); err != nil {
				return nil, because(n.At, err)
			}
		}
		v, err := parseConst(k, s)
		if err != nil {
			return nil, because(n.At, fmt.Errorf("%s %s: %w", n.Left.Name, n.Op, err))
		}
		k.consts = append(k.consts, v)
	}
	k.finish()
	return k, nil
}

// right compiles the right side of a comparison with a field.
func (c *compiler) right(n *Node, left *operand) (*operand, error) {
	switch {
	case n.Op == PMatch || n.Op == Regex:
		return nil, refuse(n.At, "%s takes constants only on its right side", n.Op)
	case n.Right.Bracket:
		return nil, refuse(n.At, "val() takes no argument in brackets")
	case left.typ == Net || left.field.NoRight:
		return nil, refuse(n.At, "%s cannot be compared with another field", n.Left.Name)
	}
	right, err := c.operand(n.Right)
	if err != nil {
		return nil, err
	}
	switch {
	case right.field.NoRight:
		return nil, refuse(n.At, "%s cannot stand on the right side", n.Right.Name)
	case right.typ != left.typ || (right.several == List) != (left.several == List):
		return nil, refuse(n.At, "%s is %s, %s on the right side is %s", n.Left.Name, left.describe(), n.Right.Name, right.describe())
	}
	return right, nil
}

// allowed refuses operators that the type of a field does not have.
func allowed(n *Node, left *operand) error {
	ok := true
	switch n.Op {
	case Exists, In, Intersects:
		return nil
	case EQ, NE:
		ok = true
	case LT, LE, GT, GE:
		ok = left.typ == String || left.typ.numeric() && left.typ != Bool
	case BContains, BStartsWith:
		ok = left.typ == Bytes
	case Contains, StartsWith, EndsWith:
		ok = left.typ == String || left.typ == Bytes
	default:
		ok = left.typ == String
	}
	if !ok || left.several == List {
		return refuse(n.At, "%s is %s, which has no operator %s", n.Left.Name, left.describe(), n.Op)
	}
	return nil
}

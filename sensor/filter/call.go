package filter

import "errors"

// Call is a transformer with what it is applied to, outside of a condition.
type Call struct {
	Fields []FieldName // that it looks at

	o *operand
}

// FieldName is a field as it was written, Arg being what stands in brackets.
type FieldName struct {
	Name string
	Arg  *string
}

// CompileCall compiles the transformer that text begins with and returns how much of it
// that is; nil if there is none. Errors are of type [*Error].
func CompileCall(text string, fields Schema) (c *Call, used int, err error) {
	p := parser{lexer: lexer{text: text}}
	e, err := p.callAlone()
	if e == nil || err != nil {
		return nil, 0, err
	}
	compiler := compiler{fields: fields}
	o, err := compiler.call(e)
	if err != nil {
		var at *Error
		if errors.As(err, &at) {
			at.Text, at.Pos = text, Place(text, at.Pos.Offset)
		}
		return nil, 0, err
	}
	return &Call{Fields: e.fields(nil), o: o}, p.at, nil
}

// callAlone is [parser.call] with an error that is returned.
func (p *parser) callAlone() (e *Expr, err error) {
	defer func() { err = failure(recover()) }()
	return p.call(), nil
}

// fields appends the fields of an expression.
func (e *Expr) fields(list []FieldName) []FieldName {
	if !e.Call && e.Name != "" {
		return append(list, FieldName{e.Name, e.Arg})
	}
	for _, a := range e.Args {
		list = a.fields(list)
	}
	return list
}

// Type is that of the values.
func (c *Call) Type() Type { return c.o.typ }

// IsList reports whether there may be several.
func (c *Call) IsList() bool { return c.o.several == List }

// Values are what the transformer makes of the event, false if that is nothing. They are
// valid until the next call.
func (c *Call) Values(src Source) (*Values, bool) {
	ok := c.o.eval(src)
	return &c.o.values, ok
}

package filter

// operandKind is where an operand's values come from.
type operandKind uint8

const (
	fieldOperand operandKind = iota
	constOperand
	listOperand // the values of several others
	callOperand
)

// operand is a side of a comparison, or an argument of a transformer.
type operand struct {
	kind    operandKind
	typ     Type
	several Several
	field   Field
	args    []*operand
	call    func(o *operand, out *Values) bool // of a transformer
	option  *optionOf                          // of getopt
	values  Values
}

func (o *operand) describe() string {
	if o.several == List {
		return "a list of " + o.typ.String()
	}
	return "of type " + o.typ.String()
}

// eval brings the values up to date and reports whether there are any.
func (o *operand) eval(src Source) bool {
	switch o.kind {
	case constOperand:
		return true
	case fieldOperand:
		o.values.Reset()
		return src.Value(o.field.Ref, &o.values)
	}
	for _, a := range o.args {
		if !a.eval(src) {
			return false
		}
	}
	o.values.Reset()
	if o.kind == listOperand {
		for _, a := range o.args {
			o.values.list = append(o.values.list, a.values.list...)
		}
		return true
	}
	return o.call(o, &o.values)
}

// text is the only value of a string.
func (o *operand) text() []byte {
	if len(o.values.list) == 0 {
		return nil
	}
	return o.values.list[0].Text
}

// operand compiles an expression.
func (c *compiler) operand(e *Expr) (*operand, error) {
	switch {
	case e.Call:
		return c.call(e)
	case e.Name != "":
		f, err := c.fields.Field(e.Name, e.Arg)
		if err != nil {
			return nil, because(e.At, err)
		}
		return &operand{kind: fieldOperand, typ: f.Type, several: f.Several, field: f}, nil
	case e.List:
		o := &operand{kind: listOperand, typ: String, several: List}
		var err error
		o.args, err = c.operands(e.Args)
		return o, err
	}
	o := &operand{kind: constOperand, typ: String}
	o.values.Str(e.Text)
	if e.Num {
		o.typ = Int
	}
	return o, nil
}

func (c *compiler) operands(exprs []*Expr) ([]*operand, error) {
	var list []*operand
	for _, e := range exprs {
		o, err := c.operand(e)
		if err != nil {
			return nil, err
		}
		list = append(list, o)
	}
	return list, nil
}

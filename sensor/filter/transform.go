package filter

import (
	"bytes"
	"encoding/base64"
)

// call compiles a transformer.
func (c *compiler) call(e *Expr) (*operand, error) {
	args, err := c.operands(e.Args)
	if err != nil {
		return nil, err
	}
	o := &operand{kind: callOperand, typ: String, args: args}
	if e.Arg != nil && e.Name != "getopt" {
		return nil, refuse(e.At, "%s() takes no argument in brackets", e.Name)
	}
	for i, a := range args {
		if a.kind == fieldOperand && a.field.NoTransformer {
			return nil, refuse(e.At, "%s cannot stand in a transformer", e.Args[i].Name)
		}
	}
	switch e.Name {
	case "join":
		o.call = join
		return o, shape(e, args, text, texts)
	case "concat":
		o.call = concat
		want := make([]func(*operand) bool, max(2, len(args)))
		for i := range want {
			want[i] = text
		}
		return o, shape(e, args, want...)
	case "getopt":
		return o, c.getopt(e, o)
	case "len":
		o.typ, o.call = Uint, length
		return o, shape(e, args, sized)
	case "b64":
		o.typ, o.call = args[0].typ, decode64
		return o, shape(e, args, func(o *operand) bool { return text(o) || o.typ == Bytes && o.several != List })
	case "tolower":
		o.call = lower
	case "toupper":
		o.call = upper
	case "basename":
		o.call = basename
	}
	return o, shape(e, args, text)
}

// What arguments transformers take.
func text(o *operand) bool  { return o.typ == String && o.several != List }
func texts(o *operand) bool { return o.typ == String && o.several == List }
func sized(o *operand) bool { return o.several == List || o.typ == String || o.typ == Bytes }

// shape checks the arguments of a transformer.
func shape(e *Expr, args []*operand, want ...func(*operand) bool) error {
	if len(args) != len(want) {
		return refuse(e.At, "%s() takes %d arguments, not %d", e.Name, len(want), len(args))
	}
	for i, ok := range want {
		if !ok(args[i]) {
			return refuse(e.At, "%s() does not take what is %s as its argument %d", e.Name, args[i].describe(), i+1)
		}
		for _, a := range args[i].args {
			if args[i].kind == listOperand && !text(a) {
				return refuse(e.At, "%s() takes lists of strings only", e.Name)
			}
		}
	}
	return nil
}

func lower(o *operand, out *Values) bool { return mapped(o, out, foldLower) }

func upper(o *operand, out *Values) bool {
	return mapped(o, out, func(c byte) byte {
		if c >= 'a' && c <= 'z' {
			return c - 0x20
		}
		return c
	})
}

// foldLower makes a letter of ASCII a small one.
func foldLower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 0x20
	}
	return c
}

func mapped(o *operand, out *Values, f func(byte) byte) bool {
	for _, c := range o.args[0].text() {
		out.text = append(out.text, f(c))
	}
	return out.built()
}

// built makes what was appended to the buffer the only value.
func (v *Values) built() bool {
	v.Borrow(v.text)
	return true
}

func basename(o *operand, out *Values) bool {
	s := o.args[0].text()
	out.Borrow(s[bytes.LastIndexByte(s, '/')+1:])
	return true
}

func length(o *operand, out *Values) bool {
	if o.args[0].several == List {
		out.Uint(uint64(len(o.args[0].values.list)))
	} else {
		out.Uint(uint64(len(o.args[0].text())))
	}
	return true
}

// decode64 has no value for what is no base64. Padding may be missing.
func decode64(o *operand, out *Values) bool {
	s := bytes.TrimRight(o.args[0].text(), "=")
	if !isBase64(s) {
		return false // the decoder's errors have to be allocated
	}
	b, err := base64.RawStdEncoding.AppendDecode(out.text, s)
	if err != nil {
		return false
	}
	out.text = b
	return out.built()
}

// isBase64 reports whether s can be decoded. Ends of lines do not count.
func isBase64(s []byte) bool {
	n := 0
	for _, c := range s {
		switch {
		case letter(c), digit(c), c == '+', c == '/':
			n++
		case c != '\r' && c != '\n':
			return false
		}
	}
	return n%4 != 1
}

func join(o *operand, out *Values) bool {
	for i, v := range o.args[1].values.list {
		if i > 0 {
			out.text = append(out.text, o.args[0].text()...)
		}
		out.text = append(out.text, v.Text...)
	}
	return out.built()
}

func concat(o *operand, out *Values) bool {
	for _, a := range o.args {
		out.text = append(out.text, a.text()...)
	}
	return out.built()
}

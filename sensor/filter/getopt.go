package filter

import "strings"

// optionOf is what getopt looks for.
type optionOf struct {
	options string // as getopt(3) has them
	one     byte   // the option whose value is asked for; 0: all that are there
}

// getopt compiles getopt(list, options), a list of the options that are there,
// and getopt(list, options)[c], the value of one.
func (c *compiler) getopt(e *Expr, o *operand) error {
	if err := shape(e, o.args, texts, text); err != nil {
		return err
	}
	if o.args[1].kind != constOperand {
		return refuse(e.At, "the options of getopt() are a quoted string")
	}
	o.option = &optionOf{options: string(o.args[1].text())}
	o.call = getopt
	if e.Arg == nil {
		o.several = List
		return nil
	}
	if len(*e.Arg) != 1 {
		return refuse(e.At, "what getopt() has in brackets is one character")
	}
	o.option.one = (*e.Arg)[0]
	return nil
}

// getopt reads options up to the first word that is none, as getopt(3). Of an
// option that is there twice the last value counts; an unknown one is "?".
func getopt(o *operand, out *Values) bool {
	words := o.args[0].values.list
	found := false
	report := func(c byte, value []byte) {
		switch o.option.one {
		case 0:
			start := len(out.text)
			out.text = append(out.text, c)
			out.Borrow(out.text[start:])
			found = true
		case c:
			out.Reset()
			out.Borrow(value)
			found = true
		}
	}
	for i := 0; i < len(words); i++ {
		word := words[i].Text
		if len(word) < 2 || word[0] != '-' || string(word) == "--" {
			break
		}
		for j := 1; j < len(word); j++ {
			at := strings.IndexByte(o.option.options, word[j])
			switch {
			case at < 0 || word[j] == ':':
				report('?', nil)
				continue
			case at+1 >= len(o.option.options) || o.option.options[at+1] != ':':
				report(word[j], nil)
				continue
			case j+1 < len(word):
				report(word[j], word[j+1:])
			case i+1 < len(words):
				i++
				report(word[j], words[i].Text)
			default:
				report('?', nil)
			}
			break
		}
	}
	return found || o.option.one == 0
}

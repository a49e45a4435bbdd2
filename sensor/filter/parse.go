package filter

import "fmt"

// Parse reads a condition. Errors are of type [*Error].
func Parse(text string) (n *Node, err error) {
	if len(text) > MaxText {
		return nil, &Error{Pos: Place("", 0), Msg: fmt.Sprintf("longer than %d bytes", MaxText)}
	}
	p := parser{lexer: lexer{text: text}}
	// A recursive descent is left at the first error.
	defer func() {
		if failed := failure(recover()); failed != nil {
			n, err = nil, failed
		}
	}()
	n = p.or()
	if p.at < len(text) {
		p.fail(`expected "and" or "or"`)
	}
	return n, nil
}

// failure is the error that has ended a descent.
func failure(recovered any) error {
	switch e := recovered.(type) {
	case nil:
		return nil
	case *Error:
		return e
	default:
		panic(e)
	}
}

type parser struct {
	lexer
	depth int
}

// fail ends the parsing with an error at the present place.
func (p *parser) fail(format string, args ...any) {
	panic(&Error{Pos: Place(p.text, p.at), Msg: fmt.Sprintf(format, args...), Text: p.text})
}

// deeper bounds the recursion; what it returns ends the level.
func (p *parser) deeper() func() {
	if p.depth++; p.depth > MaxDepth {
		p.fail("more than %d levels of parentheses, nots and transformers", MaxDepth)
	}
	return func() { p.depth-- }
}

func (p *parser) or() *Node { return p.chain(Or, "or", p.and) }

func (p *parser) and() *Node { return p.chain(And, "and", p.not) }

// chain reads operands that are joined by a word.
func (p *parser) chain(kind Kind, word string, operand func() *Node) *Node {
	p.blanks()
	start := p.at
	first := operand()
	kids := []*Node{first}
	for p.blanks(); p.literal(word); p.blanks() {
		if !p.blanks() && p.peek(0) != '(' {
			p.fail(`expected a blank or "(" after %q`, word)
		}
		kids = append(kids, operand())
	}
	if len(kids) == 1 {
		return first
	}
	return &Node{Kind: kind, At: start, Kids: kids}
}

// not reads a check with any number of nots before it.
func (p *parser) not() *Node {
	defer p.deeper()()
	p.blanks()
	start := p.at
	if p.literal("not") && (p.blanks() && p.at < len(p.text) || p.peek(0) == '(') {
		return &Node{Kind: Not, At: start, Kids: []*Node{p.not()}}
	}
	p.at = start
	return p.check()
}

func (p *parser) check() *Node {
	start := p.at
	if p.literal("(") {
		n := p.or()
		p.blanks()
		if !p.literal(")") {
			p.fail(`expected ")"`)
		}
		return n
	}
	if left := p.operand(); left != nil {
		return p.comparison(&Node{Kind: Check, At: start, Left: left})
	}
	if name, ok := p.identifier(); ok {
		return &Node{Kind: Macro, At: start, Name: name}
	}
	p.fail(`expected a field, "not", "(" or the name of a macro`)
	return nil
}

// transformers are the functions of fields, in the order of error messages.
var transformers = []string{"tolower", "toupper", "b64", "basename", "len", "join", "concat", "getopt"}

// operand reads a field or a transformer; nil if neither is next.
func (p *parser) operand() *Expr {
	if e := p.call(); e != nil {
		return e
	}
	start := p.at
	if name, ok := p.field(); ok {
		return &Expr{At: start, Name: name, Arg: p.brackets()}
	}
	return nil
}

// call reads a transformer and what it is applied to; nil if there is none.
func (p *parser) call() *Expr {
	start := p.at
	for _, name := range transformers {
		if !p.literal(name + "(") {
			continue
		}
		defer p.deeper()()
		e := &Expr{At: start, Name: name, Call: true, Args: p.arguments()}
		e.Arg = p.brackets()
		return e
	}
	return nil
}

// arguments reads those of a transformer or list, and the parenthesis that ends
// them.
func (p *parser) arguments() []*Expr {
	var args []*Expr
	for {
		p.blanks()
		args = append(args, p.transformed())
		p.blanks()
		if p.literal(",") {
			continue
		}
		if !p.literal(")") {
			p.fail(`expected ")" or "," in a transformer`)
		}
		return args
	}
}

// transformed reads one argument of a transformer.
func (p *parser) transformed() *Expr {
	start := p.at
	if e := p.operand(); e != nil {
		return e
	}
	if s, ok := p.string(); ok {
		return &Expr{At: start, Text: s}
	}
	if s, ok := p.number(); ok {
		return &Expr{At: start, Text: s, Num: true}
	}
	if p.literal("(") {
		defer p.deeper()()
		return &Expr{At: start, List: true, Args: p.arguments()}
	}
	p.fail("expected a field, a transformer, a quoted string, a number or a list in parentheses")
	return nil
}

// brackets reads the argument of a field; nil if there is none.
func (p *parser) brackets() *string {
	if !p.literal("[") {
		return nil
	}
	s, ok := p.string()
	if !ok {
		s, ok = p.argument()
	}
	if !ok {
		p.fail("expected the argument of the field, a word or a quoted string")
	}
	if !p.literal("]") {
		p.fail(`expected "]"`)
	}
	return &s
}

// string reads a quoted string.
func (p *parser) string() (string, bool) {
	s, ok, wrong := p.quoted()
	if wrong != "" {
		p.fail("%s", wrong)
	}
	if next := p.peek(0); !ok && (next == '"' || next == '\'') {
		p.fail("expected another %c at the end of the value", next)
	}
	return s, ok
}

// Groups of operators; of two that begin alike the longer stands first.
var (
	numberOps = []Op{LE, LT, GE, GT}
	textOps   = []Op{Glob, IGlob, Contains, IContains, BContains, StartsWith, BStartsWith, EndsWith, Regex}
	listOps   = []Op{Intersects, In, PMatch}
)

// comparison reads the operator of a check and its right side.
func (p *parser) comparison(n *Node) *Node {
	p.blanks()
	if p.literal(Exists.String()) {
		n.Op = Exists
		return n
	}
	for _, n.Op = range numberOps {
		if p.literal(n.Op.String()) {
			return p.numberSide(n)
		}
	}
	switch {
	case p.literal("=="), p.literal("="):
		n.Op = EQ
		return p.textSide(n)
	case p.literal("!="):
		n.Op = NE
		return p.textSide(n)
	}
	for _, n.Op = range textOps {
		if p.spaced(n.Op.String()) {
			return p.textSide(n)
		}
	}
	for _, n.Op = range listOps {
		if p.literal(n.Op.String()) {
			return p.listSide(n)
		}
	}
	p.fail(`expected an operator: exists, =, ==, !=, <, <=, >, >=, in, intersects, pmatch, or with a blank behind it contains, icontains, bcontains, startswith, bstartswith, endswith, glob, iglob, regex`)
	return nil
}

func (p *parser) numberSide(n *Node) *Node {
	p.blanks()
	if n.Right = p.right(); n.Right != nil {
		return n
	}
	s, ok := p.number()
	if !ok {
		p.fail("expected a number, val(field) or a transformer")
	}
	n.Consts = []string{s}
	return n
}

func (p *parser) textSide(n *Node) *Node {
	if p.blanks() && p.modified(n) {
		return n
	}
	if n.Right = p.right(); n.Right != nil {
		return n
	}
	s, ok := p.constant()
	if !ok {
		p.fail("expected a value, val(field), a transformer, or one of oneof, anyof, allof and a list")
	}
	n.Consts = []string{s}
	return n
}

// modified reads a modifier and its list. A modifier without a list is a word
// like others.
func (p *parser) modified(n *Node) bool {
	start := p.at
	for how := OneOf; how <= AllOf; how++ {
		if !p.literal(modifierNames[how]) {
			continue
		}
		if spaced := p.blanks(); spaced || p.peek(0) == '(' {
			if p.list(n) {
				n.How = how
				return true
			}
		}
		p.at = start
	}
	return false
}

func (p *parser) listSide(n *Node) *Node {
	p.blanks()
	if n.Right = p.right(); n.Right != nil {
		return n
	}
	if !p.list(n) {
		p.fail("expected a list in parentheses, the name of a list, val(field) or a transformer")
	}
	return n
}

// list reads constants in parentheses, or the name of a list, which is taken for
// a constant.
func (p *parser) list(n *Node) bool {
	if !p.literal("(") {
		start := p.at
		name, ok := p.identifier()
		if !ok || name == "and" || name == "or" {
			p.at = start
			return false
		}
		n.Consts = []string{name}
		return true
	}
	n.Consts = []string{}
	p.blanks()
	if s, ok := p.constant(); ok {
		n.Consts = append(n.Consts, s)
		for p.blanks(); p.literal(","); p.blanks() {
			p.blanks()
			if s, ok = p.constant(); !ok {
				p.fail("expected a value")
			}
			n.Consts = append(n.Consts, s)
		}
	}
	p.blanks()
	if !p.literal(")") {
		p.fail(`expected ")" or "," in a list`)
	}
	return true
}

// constant reads a quoted or bare string.
func (p *parser) constant() (string, bool) {
	if s, ok := p.string(); ok {
		return s, true
	}
	return p.bare()
}

// right reads val(field) or a transformer; nil if neither is next.
func (p *parser) right() *Expr {
	if !p.literal("val(") {
		return p.call()
	}
	p.blanks()
	start := p.at
	name, ok := p.field()
	if !ok {
		p.fail("expected a field in val()")
	}
	e := &Expr{At: start, Name: name, Arg: p.brackets()}
	p.blanks()
	if !p.literal(")") {
		p.fail(`expected ")" behind the field in val()`)
	}
	e.Bracket = p.brackets() != nil // refused when it is compiled, as that of other functions
	return e
}

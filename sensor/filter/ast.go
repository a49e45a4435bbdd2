package filter

// Kind is what a [Node] of a condition is.
type Kind uint8

// Kinds of nodes.
const (
	And   Kind = iota // all of Kids
	Or                // one of Kids
	Not               // not Kids[0]
	Check             // a comparison
	Macro             // the name of a condition that stands elsewhere
)

// Node is a part of a condition as it was written.
type Node struct {
	Kind Kind
	At   int // where it begins, an offset in bytes
	Kids []*Node

	Name string // of a macro

	// Of a check: what stands on its left, and on its right one of constants
	// and an expression.
	Left   *Expr
	Op     Op
	How    Modifier
	Consts []string
	Right  *Expr
}

// Expr is a field, a transformer, or a constant or list among a transformer's
// arguments.
type Expr struct {
	At   int     // where it begins, an offset in bytes
	Name string  // of a field or transformer; empty: a constant or list
	Call bool    // a transformer
	Arg  *string // in brackets behind the name; nil without
	Args []*Expr // of a transformer or list
	List bool    // (a, b) among the arguments of a transformer
	Text string  // a constant
	Num  bool    // a constant without quotes

	Bracket bool // val() has an argument in brackets, which it cannot have
}

// Op is an operator.
type Op uint8

// Operators.
const (
	Exists Op = iota
	LE
	LT
	GE
	GT
	EQ
	NE
	Glob
	IGlob
	Contains
	IContains
	BContains
	StartsWith
	BStartsWith
	EndsWith
	Regex
	Intersects
	In
	PMatch
)

var opNames = [...]string{
	"exists", "<=", "<", ">=", ">", "=", "!=", "glob", "iglob", "contains", "icontains",
	"bcontains", "startswith", "bstartswith", "endswith", "regex", "intersects", "in", "pmatch",
}

// String returns the operator as it is written.
func (o Op) String() string { return opNames[o] }

// Modifier says how a comparison goes with several constants.
type Modifier uint8

// Modifiers.
const (
	NoModifier Modifier = iota
	OneOf               // exactly one fits
	AnyOf               // at least one
	AllOf               // all
)

var modifierNames = [...]string{"", "oneof", "anyof", "allof"}

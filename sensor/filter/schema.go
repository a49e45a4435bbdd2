package filter

// Several says what more than one value of a field means.
type Several uint8

// Kinds of fields.
const (
	One   Several = iota // there is one value
	List                 // the value is a list
	Any                  // of several values one has to fit
	Sides                // the same, but != wants all to differ
)

// Field is what has to be known of a field to compile a condition.
type Field struct {
	Ref           int // what a [Source] is asked for
	Type          Type
	Several       Several
	FirstInList   bool // in looks at the first constant only, as Falco does for fd.net
	Within        bool // = wants the value to be that or less, and there is no other operator
	NoRight       bool // cannot stand in val(), nor be compared with one
	NoTransformer bool

	// Check refuses a constant that the field can never be. Nil takes all.
	Check func(constant string) error
	// Codes adds the codes of the events on which the field is the constant,
	// if the kind of an event decides that. Nil: it does not.
	Codes func(constant string, into *Codes)
}

// Schema are the fields that there are.
type Schema interface {
	// Field returns a field; arg is what stands in brackets, nil without
	// brackets.
	Field(name string, arg *string) (Field, error)
}

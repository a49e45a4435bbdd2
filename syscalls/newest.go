package syscalls

// What sysdig 0.41.4 knows: the events below CodesNewest, with the parameters
// that they had at TagNewest.
const (
	TagNewest   = Tag(21) // 9.1.0
	CodesNewest = 430
)

// Conversion is what a reader of today makes of an event of an older driver,
// which has another number of parameters.
type Conversion struct {
	Params int // that the event has
	Do     Action
	To     uint16  // code of the result
	Values []Value // its parameters
}

// Action is what is done with an event.
type Action uint8

// Actions.
const (
	Keep          Action = iota // wait for the exit, show nothing
	KeepPass                    // the same, and go on with the event
	Pass                        // go on with the event
	Fill                        // put values behind the parameters
	Become                      // make an event of another code
	ContainerJSON               // make an event about a container one with a text
)

// Value is where a parameter of the result comes from.
type Value struct {
	From  From
	Index uint8 // of the parameter
}

// From is a kind of origin.
type From uint8

// Origins of parameters.
const (
	OfEvent          From = iota // the event itself
	OfEnter                      // the enter event that was kept, else as OfZero
	OfEnterOrNothing             // the same, else as OfNothing
	OfZero                       // the zero of the type, of an owner all ones, of varying length no bytes
	OfNothing                    // no bytes
)

// Conversions returns what is done with events of a code, by their numbers of
// parameters.
func Conversions(typ uint16) []Conversion {
	if int(typ) < len(conversions) {
		return conversions[typ]
	}
	return nil
}

// NewestParams returns how many parameters an event has at TagNewest, all of
// them if it is younger.
func NewestParams(typ uint16) int {
	params := Events[typ].Params
	if int(typ) >= CodesNewest {
		return len(params)
	}
	n := len(params)
	for n > 0 && params[n-1].Since > TagNewest {
		n--
	}
	return n
}

package fields

import (
	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/filter"
)

// truthFields are what calls have really worked on. No other program has fields of
// that class.
var truthFields = []Field{
	{Name: "truth.object", Type: filter.String, Desc: "path of the file that the descriptor is really of or the call has executed, or address of the socket as the kernel has it", get: truthObject},
	{Name: "truth.mismatch", Type: filter.String, Desc: "what the kernel has not done as the event says: argument, object, memory, with commas between them; missing where it has", get: truthMismatch},
	{Name: "truth.argument", Type: filter.String, Desc: "the argument as it was when the call had ended, if the event has another one or none", get: truthArgument},
}

// truthObject is that of the event or else of its descriptor.
func truthObject(e *Event, _ *argument, v *filter.Values) bool {
	if t, ok := e.View.Truth(); ok && len(t.Object) > 0 {
		v.Borrow(t.Object)
		return true
	}
	f, ok := e.file()
	v.Str(f.Real)
	return ok && f.Real != ""
}

func truthMismatch(e *Event, _ *argument, v *filter.Values) bool {
	t, ok := e.View.Truth()
	text := t.Mismatch.String()
	v.Str(text)
	return ok && text != ""
}

func truthArgument(e *Event, _ *argument, v *filter.Values) bool {
	t, ok := e.View.Truth()
	v.Borrow(t.Argument)
	return ok && (t.Mismatch&event.ArgumentChanged != 0 || len(t.Argument) > 0)
}

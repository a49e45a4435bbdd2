package fields

import (
	"fmt"
	"strconv"
	"time"

	"github.com/pdig/pdig/sensor/filter"
)

// aroundField is how far an event is from a moment, in begun milliseconds: = wants
// it to be as near as that.
var aroundField = Field{
	Name: "evt.around", Type: filter.Uint, Desc: "evt.around[T]=N: the event is within N milliseconds of the time T, which is in nanoseconds since the Unix epoch",
	get: around, arg: timeArg, bounds: twoSided,
}

func around(e *Event, a *argument, v *filter.Values) bool {
	now := e.View.Time()
	away := max(now, a.time) - min(now, a.time)
	ms := away / uint64(time.Millisecond)
	if away%uint64(time.Millisecond) > 0 {
		ms++
	}
	v.Uint(ms)
	return true
}

// moment takes the time in brackets.
func (b *bound) moment(text string) (err error) {
	if b.arg.time, err = strconv.ParseUint(text, 10, 64); err != nil {
		return fmt.Errorf("%s[%s]: %q is no time in nanoseconds since the Unix epoch", b.field.Name, text, text)
	}
	return nil
}

package fields

import (
	"strconv"
	"time"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/filter"
)

// Clock is how lines show when an event has happened.
type Clock uint8

// Clocks, in the order of [ClockNames].
const (
	LocalTime  Clock = iota // hours, minutes and seconds
	SinceEpoch              // seconds since the Unix epoch
	SinceFirst              // seconds since the first event
	SinceCall               // seconds since the call, where one ends
	SinceShown              // seconds since the event that was shown before
)

// ClockNames are sysdig's letters for them.
const ClockNames = "hardD"

// AppendTime appends the time of the event as its clock shows it.
func (e *Event) AppendTime(dst []byte) []byte {
	now := e.View.Time()
	switch e.Clock {
	case SinceEpoch:
		return appendSeconds(dst, now)
	case SinceFirst:
		return appendSeconds(dst, relTime(e))
	case SinceCall:
		return appendSeconds(dst, latency(e))
	case SinceShown:
		before := e.shown
		if e.shown = now; before == 0 {
			before = now
		}
		return appendSeconds(dst, now-min(before, now))
	}
	return time.Unix(int64(now/1e9), int64(now%1e9)).AppendFormat(dst, timeOfDay)
}

// appendSeconds appends nanoseconds as seconds with all digits.
func appendSeconds(dst []byte, ns uint64) []byte {
	dst = strconv.AppendUint(dst, ns/1e9, 10)
	return appendPadded(append(dst, '.'), ns%1e9)
}

// appendPadded appends what is left of a second: nine digits.
func appendPadded(dst []byte, ns uint64) []byte {
	for unit := uint64(1e8); unit > 1 && ns < unit; unit /= 10 {
		dst = append(dst, '0')
	}
	return strconv.AppendUint(dst, ns, 10)
}

func evtOutputTime(e *Event, _ *argument, v *filter.Values) bool {
	e.buf = e.AppendTime(e.buf[:0])
	v.Copy(e.buf)
	return true
}

// Style sets how parameters of raw bytes are shown, and whether all of them are
// even where only 80 would be.
func (e *Event) Style(data event.DataStyle, long bool) {
	e.printer.Data, e.printer.Long = data, long
}

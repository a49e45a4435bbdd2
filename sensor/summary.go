package sensor

import (
	"fmt"
	"strings"

	"github.com/pdig/pdig/event"
)

// Summary is one line about the end of a run: how many events were delivered
// and lost, and why, and how many of them have a mismatch.
func Summary(st event.Stats) string {
	var b strings.Builder
	fmt.Fprintf(&b, "events: %d delivered, %d lost", st.Delivered, st.LostTotal())
	separator := " ("
	for cause, n := range st.Lost {
		if n > 0 {
			fmt.Fprintf(&b, "%s%v %d", separator, event.Cause(cause), n)
			separator = ", "
			if event.Cause(cause) == event.CauseRingFull {
				of(&b, &st.Full)
			}
		}
	}
	if separator != " (" {
		b.WriteByte(')')
	}
	if st.Mismatches > 0 {
		fmt.Fprintf(&b, "; %d did something else than they say (truth.mismatch)", st.Mismatches)
	}
	return b.String()
}

// of says which classes of records found a full ring, if that is known.
func of(b *strings.Builder, full *[event.NumClasses]uint64) {
	separator := ": "
	for class, n := range full {
		if n > 0 {
			fmt.Fprintf(b, "%s%v %d", separator, event.Class(class), n)
			separator = " + "
		}
	}
}

package beside

import (
	"os"
	"time"
)

// Pauses before a sensor that has ended is started again. What ends each of them, as a
// reader of the output that is gone, is not to cost the workload a start every second.
const (
	firstPause   = time.Second
	longestPause = 30 * time.Second
)

// restarts are those of a sensor that does not stay.
type restarts struct {
	pause time.Duration // the last one, 0 if the sensor has lived longer than that
	why   string        // as was told
}

// after is told how long a sensor has lived and what has ended it. It returns the pause
// before the next one, and whether the reason is news.
func (r *restarts) after(lived time.Duration, err error) (pause time.Duration, news bool) {
	if lived > longestPause {
		*r = restarts{}
	}
	news = err.Error() != r.why
	r.pause, r.why = min(max(2*r.pause, firstPause), longestPause), err.Error()
	return r.pause, news
}

// words is where the next one may say something: those that end soon, one after the
// other, say the same.
func (r *restarts) words(to *os.File) *os.File {
	if r.pause > firstPause {
		return nil
	}
	return to
}

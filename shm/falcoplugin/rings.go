package falcoplugin

import (
	"errors"
	"os"
	"time"

	"github.com/pdig/pdig/event"
)

// rings are what an instance reads.
type rings interface {
	// Next returns the oldest record, or waits a while for it.
	Next() ([]byte, error)
	// Poll is Next that does not wait.
	Poll() ([]byte, error)
	// Origin is that of the last record.
	Origin() *origin
	// Look follows what becomes of the rings and returns what the user is to be
	// told of it.
	Look(now time.Time) []string
	Stats() event.Stats
	Close() error
}

// over reports whether an error says that nothing more comes out of a ring.
func over(err error) bool { return err != nil && !errors.Is(err, os.ErrDeadlineExceeded) }

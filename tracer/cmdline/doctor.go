package cmdline

import (
	"io"

	"github.com/pdig/pdig/internal/cli"
	"github.com/pdig/pdig/shm"
	"github.com/pdig/pdig/tracer/doctor"
)

// Statuses of --doctor.
const (
	statusWorks    = 0 // a command can be run and recorded
	statusWorksNot = 1
)

// Forms of the report.
const (
	formText = "text"
	formJSON = "json"
)

// Examine prints what of the tracer works here, and returns the exit status. Role is as
// in [doctor.Examine].
func (o *Options) Examine(stdout, stderr io.Writer, role ...string) int {
	facts := doctor.Examine(shm.Config{Prefix: o.ring, Mode: o.mode}, role...)
	report := doctor.Judge(&facts)
	report.Pdig = cli.Version
	write := report.WriteText
	if o.doctor == formJSON {
		write = report.WriteJSON
	}
	if err := write(stdout); err != nil {
		o.complain(stderr, err)
		return statusWorksNot
	}
	if !report.Launch {
		return statusWorksNot
	}
	return statusWorks
}

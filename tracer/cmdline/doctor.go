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

// examine prints what of pdig works here.
func examine(o *options, stdout, stderr io.Writer) int {
	facts := doctor.Examine(shm.Config{Prefix: o.ring, Mode: o.mode})
	report := doctor.Judge(&facts)
	report.Pdig = cli.Version
	write := report.WriteText
	if o.doctor == formJSON {
		write = report.WriteJSON
	}
	if err := write(stdout); err != nil {
		complain(stderr, err)
		return statusWorksNot
	}
	if !report.Launch {
		return statusWorksNot
	}
	return statusWorks
}

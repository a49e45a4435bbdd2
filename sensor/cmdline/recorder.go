package cmdline

import (
	"io"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor"
	"github.com/pdig/pdig/sensor/capture"
)

// recorder writes a capture.
type recorder interface {
	sensor.Recorder
	Add(capture.Entry)
	Close() error
}

// create creates the capture that is written.
func (p *program) create() (recorder, error) {
	if p.recent > 0 {
		return capture.NewRecent(capture.RecentConfig{
			Path: p.write, Pack: p.pack, Size: p.recent, Log: p.log, Begin: p.begin,
		})
	}
	var to io.Writer
	if p.write == standard {
		to = p.stdout
	}
	return capture.Create(capture.FilesConfig{
		Path: p.write, To: to, Pack: p.pack, Log: p.log,
		Size: p.fileSize * 1e6, Every: time.Duration(p.fileTime) * time.Second, Keep: p.limit, Source: p.read,
		Begin: p.begin,
	})
}

// begin tells a file of the capture what is known before its first event.
func (p *program) begin(rec []byte, add func(capture.Entry)) {
	var first event.View
	if !p.begun && first.Parse(rec) == nil {
		p.table.Snapshot(&first)
	}
	p.begun = true
	p.table.Dump(add)
}

// onRequest has SIGUSR2 ask for what a flight recorder holds, until the function
// returned is called. It is not passed on to a command then.
func (p *program) onRequest() (done func()) {
	recent, ok := p.files.(*capture.Recent)
	if !ok {
		return func() {}
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, unix.SIGUSR2)
	go func() {
		for range asked {
			recent.Ask()
		}
	}()
	return func() {
		signal.Stop(asked) // nothing is sent after it
		close(asked)
	}
}

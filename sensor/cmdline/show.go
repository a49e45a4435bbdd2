package cmdline

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/internal/cli"
	"github.com/pdig/pdig/sensor/fields"
	"github.com/pdig/pdig/sensor/output"
)

// show is how events are shown.
type show struct {
	format string // of the user
	time   string
	data   string
	whose  string

	clock  fields.Clock
	style  event.DataStyle
	lines  event.Style
	fields *fields.Format // nil: no format of the user
}

func (s *show) register(f *pflag.FlagSet) {
	f.StringVarP(&s.format, "format", "p", "", "print lines in `FORMAT`, text with fields such as %proc.name in it; * before it shows missing ones as <NA>; c stands for the usual line with the container. With -j or --msgpack its fields are the keys")
	f.StringVarP(&s.time, "time", "t", "h", "show the time as `WORD`: h local time, a seconds since 1970, r since the first event, d since the call began, D since the line before")
	f.StringVar(&s.whose, "style", "sysdig", "print lines as `WHOSE`: sysdig, those of sysdig 0.29.3 with both halves of a call; newest, those of 0.41.4 with one event for it")
	f.StringVar(&s.data, "data", "", "show the bytes of data in `STYLE`: ascii, hex, hex-ascii or base64, all of them; without it 80, with dots for what is not printable")
}

// containerFormat is what -p c stands for.
const containerFormat = "*%evt.num %evt.outputtime %evt.cpu %container.name (%container.id) %proc.name (%thread.tid:%thread.vtid) %evt.dir %evt.type %evt.info"

// dataStyles are the words of --data.
var dataStyles = map[string]event.DataStyle{
	"": event.DataDots, "ascii": event.DataText, "hex": event.DataHex, "hex-ascii": event.DataHexText, "base64": event.DataBase64,
}

// styles are the words of --style.
var styles = map[string]event.Style{"sysdig": event.Sysdig, "newest": event.Newest}

func (o *options) checkShow() error {
	whose, ok := styles[o.show.whose]
	if !ok {
		return cli.ValueError("style", o.show.whose, "sysdig or newest")
	}
	o.show.lines = whose
	clock := strings.Index(fields.ClockNames, o.show.time)
	if len(o.show.time) != 1 || clock < 0 {
		return cli.ValueError("time", o.show.time, "h, a, r, d or D")
	}
	style, ok := dataStyles[o.show.data]
	if !ok || o.show.data == "" && o.flags.Changed("data") {
		return cli.ValueError("data", o.show.data, "ascii, hex, hex-ascii or base64")
	}
	o.show.clock, o.show.style = fields.Clock(clock), style
	if o.show.format == "c" || o.show.format == "container" {
		o.show.format = containerFormat
	}
	o.event.Clock = o.show.clock
	o.event.Style(style, o.json || o.msgpack)
	return nil
}

// makeFormat compiles the format.
func (o *options) makeFormat() (err error) {
	if o.show.format == "" {
		return nil
	}
	if o.show.fields, err = fields.NewFormat(o.show.format, fields.NewSet(&o.event)); err != nil {
		return refused("--format", err)
	}
	return nil
}

// outputFormat is what events are written in.
func (o *options) outputFormat(colour bool) output.Format {
	switch s := &o.show; {
	case s.fields != nil && (o.json || o.msgpack):
		return output.NewObject(s.fields, o.msgpack)
	case s.fields != nil:
		return &output.Fields{Format: s.fields}
	case o.json:
		return &output.JSON{Data: s.style}
	case o.msgpack:
		return &output.Msgpack{Data: s.style}
	case s.clock != fields.LocalTime:
		return &output.Text{Data: s.style, Clock: &o.event, Colour: colour}
	default:
		return &output.Text{Data: s.style, Colour: colour}
	}
}

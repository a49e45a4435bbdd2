package fields

import (
	"encoding/json"
	"io"

	"github.com/pdig/pdig/sensor/filter"
	"github.com/pdig/pdig/syscalls"
)

// listedField is a field in the JSON of [ListJSON].
type listedField struct {
	Class      string `json:"class"`
	Name       string `json:"name"`
	Type       string `json:"type"`
	Argument   string `json:"argument,omitempty"` // .NAME, [N] or [NAME]
	List       bool   `json:"list"`
	FilterOnly bool   `json:"filter_only"`
	Desc       string `json:"desc"`
}

// ListJSON is [List] as JSON: an object a line.
func ListJSON(w io.Writer, class string) error {
	out := encoder(w)
	for _, c := range classes {
		if class != "" && class != c.Name {
			continue
		}
		for i := range c.Fields {
			f := &c.Fields[i]
			if err := out.Encode(listedField{
				Class: c.Name, Name: f.Name, Type: f.Type.String(), Argument: f.argText(), Desc: f.Desc,
				List: f.several == filter.List, FilterOnly: f.bounds&filterOnly != 0,
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

func encoder(w io.Writer) *json.Encoder {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	return out
}

// listedEvent is an event in the JSON of [ListEventsJSON].
type listedEvent struct {
	Code   int           `json:"code"`
	Dir    string        `json:"dir"`
	Name   string        `json:"name"`
	Params []listedParam `json:"params"`
}

type listedParam struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// ListEventsJSON is [ListEvents] as JSON: an object a line.
func ListEventsJSON(w io.Writer) error {
	out := encoder(w)
	for code := range syscalls.Events {
		e := &syscalls.Events[code]
		if !shownEvent(e) {
			continue
		}
		l := listedEvent{Code: code, Dir: direction(code), Name: e.Name, Params: []listedParam{}}
		for i := range e.Params {
			l.Params = append(l.Params, listedParam{e.Params[i].Name, e.Params[i].Type.String()})
		}
		if err := out.Encode(l); err != nil {
			return err
		}
	}
	return nil
}

package doctor

import (
	"encoding/json"
	"fmt"
	"io"
)

// WriteJSON writes the report as one object.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// WriteText writes a line for each check, and below those that are not well what
// shows it and what helps.
func (r *Report) WriteText(w io.Writer) error {
	for i := range r.Checks {
		c := &r.Checks[i]
		if _, err := fmt.Fprintf(w, "%-7s  %-13s  %s\n", c.State, c.Name, c.Finding); err != nil {
			return err
		}
		if c.State == OK {
			continue
		}
		for _, e := range c.Evidence {
			if e != "" {
				fmt.Fprintf(w, "%11s%-11s  %s\n", "", "evidence:", e)
			}
		}
		fmt.Fprintf(w, "%11s%-11s  %s\n", "", "remedy:", c.Remedy)
		for _, l := range c.Lines {
			if r.shows(l.Where) {
				fmt.Fprintf(w, "%11s%-11s  %s\n", "", l.Where+":", l.Add)
			}
		}
	}
	return nil
}

// shows reports whether the words of an engine are for this container: all of
// them, where it is not known which one made it.
func (r *Report) shows(where string) bool {
	switch r.Container {
	case "docker", "podman":
		return where == "docker"
	case "kubernetes", "ecs":
		return where == r.Container
	}
	return true
}

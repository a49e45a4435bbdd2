package falcoplugin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/pdig/pdig/syscalls"
)

// Config is what the user has written: init_config.
type Config struct {
	Ring    string `json:"ring"`
	Dir     string `json:"ring_dir"`
	Size    int    `json:"ring_size"`
	Mode    string `json:"ring_mode"`
	Schema  word   `json:"schema"`
	Snaplen int    `json:"snaplen"`
	Wait    string `json:"wait"`

	mode   fs.FileMode
	wait   time.Duration
	schema schema
}

// ConfigSchema is the JSON schema of [Config], by which hosts check it.
const ConfigSchema = `{
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "ring": {"type": "string", "title": "Ring", "description": "the pair of ring objects: a name below /dev/shm, or a path; default: udig"},
    "ring_dir": {"type": "string", "title": "Directory of rings", "description": "read all rings in this directory, in the order of their times"},
    "ring_size": {"type": "integer", "minimum": 0, "title": "Size", "description": "bytes of a ring that has to be made, a power of two; default: 8388608"},
    "ring_mode": {"type": "string", "pattern": "^0o[0-7]{3}$", "title": "Mode", "description": "mode of a ring that has to be made, 0o600 or, for tracers of other users, 0o666; default: 0o600"},
    "schema": {"enum": ["auto", "newest", "418", "404", 418, 404], "title": "Schema", "description": "the events that this Falco knows; default: auto, by what it asks of a plugin"},
    "snaplen": {"type": "integer", "minimum": 0, "maximum": 65000, "title": "Data", "description": "bytes of data in an event; default: 80"},
    "wait": {"type": "string", "pattern": "^[0-9]+(ms|s|m)$", "title": "Wait", "description": "how long to wait for a ring that another program reads, or for a directory that is not there yet; default: 0s"}
  }
}`

// word is a text that may look like a number: Falco makes one of it, from YAML with
// quotation marks too.
type word string

// UnmarshalJSON implements [json.Unmarshaler].
func (w *word) UnmarshalJSON(b []byte) error {
	var n json.Number
	if err := json.Unmarshal(b, &n); err == nil {
		*w = word(n)
		return nil
	}
	return json.Unmarshal(b, (*string)(w))
}

// schema is what a generation of hosts knows.
type schema struct {
	name  string
	codes int  // event codes below are known
	exits bool // a call is its exit event, and the enter is told of few
}

var schemas = []schema{
	{"newest", syscalls.CodesNewest, true},
	{"418", syscalls.CeilingC, false},
	{"404", 404, false},
}

// parseConfig reads what the user has written. A modern host is one of those that
// have schemas of events.
func parseConfig(text string, modern bool) (Config, error) {
	var c Config
	if strings.TrimSpace(text) != "" {
		d := json.NewDecoder(strings.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&c); err != nil {
			return c, fmt.Errorf("init_config: %w: see docs/falco.md for its keys", err)
		}
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return c, errors.New("init_config: there is something behind the object: remove it")
		}
	}
	return c, c.check(modern)
}

func (c *Config) check(modern bool) (err error) {
	if c.Ring != "" && c.Dir != "" {
		return errors.New("init_config: ring and ring_dir: want one of the two")
	}
	if c.Mode != "" {
		digits, ok := strings.CutPrefix(c.Mode, "0o")
		n, err := strconv.ParseUint(digits, 8, 9)
		if !ok || err != nil {
			return fmt.Errorf("init_config: ring_mode %q: want 0o600 or 0o666", c.Mode)
		}
		c.mode = fs.FileMode(n)
	}
	if c.Wait != "" {
		if c.wait, err = time.ParseDuration(c.Wait); err != nil || c.wait < 0 {
			return fmt.Errorf("init_config: wait %q: want a time like 10s", c.Wait)
		}
	}
	if c.Snaplen < 0 {
		return fmt.Errorf("init_config: snaplen %d: want a number of bytes", c.Snaplen)
	}
	name := string(c.Schema)
	if name == "" || name == "auto" {
		if name = "404"; modern {
			name = "newest"
		}
	}
	for _, s := range schemas {
		if s.name == name {
			c.schema = s
			return nil
		}
	}
	return fmt.Errorf("init_config: schema %q: want auto, newest, 418 or 404", name)
}

// at is the configuration of the rings that the parameters of an open name: a
// ring, or a directory of rings; those of the configuration if they are empty.
func (c Config) at(params string) Config {
	params = strings.TrimSpace(params)
	switch {
	case params == "":
	case strings.Contains(params, "/") && isDir(params):
		c.Ring, c.Dir = "", params
	default:
		c.Ring, c.Dir = params, ""
	}
	return c
}

// isDir reports whether a path is of a directory, of one that is not there yet too.
func isDir(path string) bool {
	st, err := os.Stat(path)
	return strings.HasSuffix(path, "/") || err == nil && st.IsDir()
}

// openParam is what a host shows as one of the rings that can be opened.
type openParam struct {
	Value string `json:"value"`
	Desc  string `json:"desc"`
}

// marshal is the JSON text of what is known to have one.
func marshal(v any) string {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(v); err != nil {
		return "[]"
	}
	return strings.TrimSpace(b.String())
}

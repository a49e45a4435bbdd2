package ebpf

import (
	"embed"
	"encoding/binary"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/pdig/pdig/kernelsrc"
)

// Each file is of one version, API_SCHEMA.txt. Its lines:
//
//	filler NAME                                the programs of tail_map, in order
//	event TYPE FILLER KIND PARAM... | ARG...   types of parameters, and arguments that are
//	                                           the parameters (number, -1 result, -2:DEFAULT)
//	call NR FLAGS ENTER EXIT CODE              of a native system call
//	ia32 NR NATIVE                             of a 32-bit one
//
//go:embed tables/*.txt
var tableFiles embed.FS

// tables are what an object of a version needs to know.
type tables struct {
	fillers []string
	events  []eventRow
	calls   map[int]callRow
	ia32    map[int]int
}

type eventRow struct {
	filler, kind int
	params       []int
	args         []argRow
}

type argRow struct{ id, value int }

type callRow struct{ flags, enter, exit, code int }

// findTables returns those of a version.
func findTables(api, schema kernelsrc.Version) (*tables, error) {
	text, err := tableFiles.ReadFile(fmt.Sprintf("tables/%v_%v.txt", api, schema))
	if err != nil {
		names, _ := fs.Glob(tableFiles, "tables/*.txt")
		var known []string
		for _, n := range names {
			a, s, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(n, "tables/"), ".txt"), "_")
			known = append(known, a+" and "+s)
		}
		return nil, fmt.Errorf("the probe has API version %v and schema version %v, known are %s", api, schema, strings.Join(known, ", "))
	}
	return parseTables(string(text))
}

func parseTables(text string) (*tables, error) {
	t := &tables{calls: map[int]callRow{}, ia32: map[int]int{}}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		if words[0] == "filler" {
			t.fillers = append(t.fillers, words[1])
			continue
		}
		if err := t.row(words); err != nil {
			return nil, fmt.Errorf("table line %q: %w", line, err)
		}
	}
	return t, nil
}

func (t *tables) row(words []string) error {
	var n []int
	var args []argRow
	behind := false
	for _, w := range words[1:] {
		if w == "|" {
			behind = true
			continue
		}
		number, def, _ := strings.Cut(w, ":")
		x, err := strconv.Atoi(number)
		if err != nil {
			return err
		}
		if !behind {
			n = append(n, x)
			continue
		}
		value := 0
		if def != "" {
			if value, err = strconv.Atoi(def); err != nil {
				return err
			}
		}
		args = append(args, argRow{x, value})
	}
	switch {
	case words[0] == "event" && len(n) >= 3 && n[0] == len(t.events):
		t.events = append(t.events, eventRow{n[1], n[2], n[3:], args})
	case words[0] == "call" && len(n) == 5:
		t.calls[n[0]] = callRow{n[1], n[2], n[3], n[4]}
	case words[0] == "ia32" && len(n) == 2:
		t.ia32[n[0]] = n[1]
	default:
		return fmt.Errorf("unknown, or of another length")
	}
	return nil
}

var le = binary.LittleEndian

// Sizes of the values of maps that differ between versions.
const (
	oldCallSize  = 12   // without the code of the call
	oldEventSize = 1612 // with packed parameters
	newEventSize = 1840
	fillerSize   = 58
	maxArgs      = 4
)

// value is an entry of syscall_table. Where there is no table of those that
// are wanted, a flag says that a call is not.
func (r callRow) value(size uint32, unwanted bool) []byte {
	b := make([]byte, size)
	flags := r.flags
	if unwanted {
		flags |= flagUninteresting
	}
	le.PutUint32(b, uint32(flags))
	le.PutUint32(b[4:], uint32(r.enter))
	le.PutUint32(b[8:], uint32(r.exit))
	if size > oldCallSize {
		le.PutUint32(b[12:], uint32(r.code))
	}
	return b
}

const flagUninteresting = 32

// infoValue is an entry of event_info_table: of all that it has the programs read
// the number of parameters and their types.
func (r eventRow) infoValue(size uint32) ([]byte, error) {
	first, each := 48, 56
	if size == oldEventSize {
		first, each = 44, 49
	}
	b := make([]byte, size)
	if first+each*len(r.params) > len(b) {
		return nil, fmt.Errorf("%d parameters do not fit", len(r.params))
	}
	le.PutUint32(b[40:], uint32(len(r.params)))
	for i, typ := range r.params {
		le.PutUint32(b[first+each*i+32:], uint32(typ))
	}
	return b, nil
}

// fillerValue is an entry of fillers_table.
func (r eventRow) fillerValue() []byte {
	b := make([]byte, fillerSize)
	le.PutUint32(b[8:], uint32(r.filler))
	le.PutUint16(b[12:], uint16(len(r.args)))
	le.PutUint32(b[14:], uint32(r.kind))
	for i, a := range r.args[:min(len(r.args), maxArgs)] {
		le.PutUint16(b[18+10*i:], uint16(int16(a.id)))
		le.PutUint64(b[20+10*i:], uint64(a.value))
	}
	return b
}

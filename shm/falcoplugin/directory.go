package falcoplugin

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/source"
)

// maxRings bounds how many rings are read, and how many names are looked at.
const (
	maxRings = 256
	maxNames = 4096
)

// directory is the rings of a directory, in the order of their times.
type directory struct {
	*source.Merged
	cfg  *Config
	log  zerolog.Logger
	set  [maxRings]*member
	list []source.Ring     // of them, those that there are
	gone event.Stats       // of those that there were
	said map[string]string // what was wrong at the last look, by name
	news []string          // what the user has yet to be told
}

// member is a ring of a directory; its number is the place in the set.
type member struct {
	*ring
	number uint16
	rec    []byte // the oldest record, if it is known
	err    error  // nothing more comes
}

func openDirectory(cfg *Config, log zerolog.Logger) (*directory, error) {
	d := &directory{cfg: cfg, log: log}
	d.Merged = source.Merge((*members)(d))
	if _, err := ringsIn(cfg.Dir); err != nil {
		return nil, err
	}
	d.news = d.scan()
	return d, nil
}

// ringsIn are the names of the rings in a directory.
func ringsIn(dir string) (names []string, err error) {
	var files []string
	f, err := os.Open(dir)
	if err == nil {
		defer f.Close()
		files, err = f.Readdirnames(maxNames)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("directory of rings %s: %w: mount the volume that the tracers write to, or name another in ring_dir", dir, err)
	}
	for _, file := range files {
		if name, ok := strings.CutSuffix(file, "_descs"); ok && name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Ring implements rings.
func (d *directory) Ring() string {
	number, _ := d.Place()
	if m := d.set[number]; m != nil {
		return m.name
	}
	return ""
}

// Look implements rings: it follows the directory.
func (d *directory) Look(now time.Time) (said []string) {
	said, d.news = d.news, nil
	for _, m := range d.set {
		if m == nil {
			continue
		}
		if text := m.look(now); text != "" {
			said = append(said, text)
		}
	}
	return append(said, d.scan()...)
}

// scan gives up the rings that have gone and opens those that have come, and says
// what is wrong that was right at the last look.
func (d *directory) scan() (news []string) {
	before := d.said
	d.said = map[string]string{}
	say := func(name, text string) {
		if d.said[name] = text; before[name] != text {
			news = append(news, text)
		}
	}
	read := map[string]bool{}
	for _, m := range d.set {
		if m == nil {
			continue
		}
		if m.over() || m.Moved() && m.Peek() == nil {
			d.drop(m)
			continue
		}
		read[filepath.Base(m.name)] = true
	}
	names, err := ringsIn(d.cfg.Dir)
	if err != nil {
		say("", err.Error())
		return news
	}
	for _, name := range names {
		if read[name] {
			continue
		}
		number := slices.Index(d.set[:], nil)
		if number < 0 {
			say("", fmt.Sprintf("more than %d rings in %s: the others are not read", maxRings, d.cfg.Dir))
			break
		}
		r, err := openRing(d.cfg, filepath.Join(d.cfg.Dir, name), true, d.log)
		if errors.Is(err, os.ErrNotExist) {
			continue // half of it is there: it is being removed
		}
		if err != nil {
			say(name, explain(err).Error())
			continue
		}
		d.set[number] = &member{ring: r, number: uint16(number)}
	}
	return news
}

func (d *directory) drop(m *member) {
	_ = m.Consumer.Close() // it is no more, or the error has been seen
	s := m.Consumer.Stats()
	add(&d.gone, &s)
	d.set[m.number] = nil
}

// members is the directory as a producer with several rings.
type members directory

// Rings implements [source.Rings].
func (d *members) Rings() []source.Ring {
	d.list = d.list[:0]
	for _, m := range d.set {
		if m != nil {
			d.list = append(d.list, m)
		}
	}
	return d.list
}

// Stats implements [source.Rings].
func (d *members) Stats() event.Stats {
	sum := d.gone
	for _, m := range d.set {
		if m != nil {
			s := m.Consumer.Stats()
			add(&sum, &s)
		}
	}
	return sum
}

// Close implements [source.Rings].
func (d *members) Close() error {
	for _, m := range d.set {
		if m != nil {
			(*directory)(d).drop(m)
		}
	}
	return nil
}

// Load implements [source.Ring].
func (m *member) Load() { m.Peek() }

// Peek implements [source.Ring].
func (m *member) Peek() []byte {
	if m.rec == nil && m.err == nil {
		rec, err := m.Poll()
		if m.rec = rec; over(err) {
			m.err = err
		}
	}
	return m.rec
}

// CPU implements [source.Ring]: the number stands in its place.
func (m *member) CPU() uint16 { return m.number }

// Take implements [source.Ring].
func (m *member) Take() { m.rec = nil }

// over reports whether nothing more comes out of the ring.
func (m *member) over() bool { return m.err != nil && m.rec == nil }

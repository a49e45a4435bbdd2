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
	"github.com/pdig/pdig/shm"
)

// maxRings bounds how many rings are read, and how many names are looked at.
const (
	maxRings = 256
	maxNames = 4096
)

// group is the rings that are read, in the order of their times: those of a directory,
// or one, and those that take their places.
type group struct {
	*source.Merged
	cfg    *Config
	log    zerolog.Logger
	set    [maxRings]*ring
	list   []source.Ring     // of them, those that there are
	read   []*shm.Consumer   // likewise
	alone  *ring             // the only one that there is: it is read past the merge
	polled uint64            // records that were read past the merge
	gone   event.Stats       // of those that there were
	said   map[string]string // what was wrong at the last look, by name
	news   []string          // what the user has yet to be told
	closed bool
}

func openGroup(cfg *Config, log zerolog.Logger) (*group, error) {
	g := &group{cfg: cfg, log: log, said: map[string]string{}}
	g.Merged = source.Merge((*members)(g))
	g.Slack(slack)
	if cfg.Dir == "" {
		r, err := openRing(cfg, cfg.Ring, false, log)
		if err != nil {
			return nil, err
		}
		g.add(r)
	} else if _, err := ringsIn(cfg.Dir); err != nil {
		return nil, err
	}
	g.news = g.scan()
	return g, nil
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
			names = append(names, filepath.Join(dir, name))
		}
	}
	slices.Sort(names)
	return names, nil
}

// names are those of the rings that are to be read.
func (g *group) names() ([]string, error) {
	if g.cfg.Dir == "" {
		return []string{g.cfg.Ring}, nil
	}
	return ringsIn(g.cfg.Dir)
}

// Next implements rings.
func (g *group) Next() ([]byte, error) {
	rec, err := g.Poll()
	if err != nil {
		g.rest()
	}
	return rec, err
}

// Poll implements rings. A ring that is the only one has no order to keep.
func (g *group) Poll() ([]byte, error) {
	if g.alone == nil {
		return g.Merged.Poll()
	}
	rec := g.alone.next()
	if rec == nil {
		return nil, os.ErrDeadlineExceeded
	}
	g.polled++
	return rec, nil
}

// slack is how much earlier than its record can be seen a tracer has looked at the clock,
// at most: that of an exec takes milliseconds where there are few processors. moment is how
// long a record waits that is too young for that.
const (
	slack  = 20 * time.Millisecond
	moment = 5 * time.Millisecond
)

// rest waits until there may be records.
func (g *group) rest() {
	if g.alone == nil {
		for _, c := range g.list {
			if c.Peek() != nil {
				time.Sleep(moment)
				return
			}
		}
	}
	shm.Wait(g.read)
}

// Origin implements rings.
func (g *group) Origin() *origin {
	if g.alone != nil {
		return g.alone.from
	}
	number, _ := g.Place()
	return g.set[number].from
}

// Look implements rings: it follows the directory, and the ring that was removed.
func (g *group) Look(now time.Time) (said []string) {
	said, g.news = g.news, nil
	for _, r := range g.set {
		if r == nil || r.left {
			continue
		}
		if text := r.look(now); text != "" {
			said = append(said, text)
		}
	}
	return append(said, g.scan()...)
}

// scan gives up the rings that have gone and opens those that have come, and says
// what is wrong that was right at the last look.
func (g *group) scan() (news []string) {
	read := map[string]bool{}
	for _, r := range g.set {
		switch {
		case r == nil:
		case r.over():
			if text := r.why(); text != "" {
				news = append(news, text)
			}
			g.drop(r)
		case r.leave():
			news = append(news, fmt.Sprintf("ring %s was removed: what is in it is read", r.name))
		case !r.left:
			read[r.prefix] = true
		}
	}
	before := g.said
	g.said = map[string]string{}
	say := func(name, text string) {
		if g.said[name] = text; before[name] != text {
			news = append(news, text)
		}
	}
	names, err := g.names()
	if err != nil {
		say("", err.Error())
		return news
	}
	for _, name := range names {
		if read[name] {
			continue
		}
		if slices.Index(g.set[:], nil) < 0 {
			say("", fmt.Sprintf("more than %d rings in %s: the others are not read", maxRings, g.cfg.Dir))
			break
		}
		r, err := openRing(g.cfg, name, g.cfg.Dir != "", g.log)
		switch {
		case errors.Is(err, os.ErrNotExist) && g.cfg.Dir != "": // half of it is there: it is being removed
		case err != nil:
			say(name, explain(err).Error())
		default:
			g.add(r)
		}
	}
	return news
}

// add puts a ring into the group.
// Preconditions: there is room for it.
func (g *group) add(r *ring) {
	number := slices.Index(g.set[:], nil)
	r.number = uint16(number)
	g.set[number] = r
	g.relist()
}

func (g *group) drop(r *ring) {
	_ = r.Consumer.Close() // it is no more, or the error has been seen
	s := r.Consumer.Stats()
	add(&g.gone, &s)
	g.set[r.number] = nil
	g.relist()
}

// relist makes the lists anew: what the merge holds is of those before.
func (g *group) relist() {
	g.Leave()
	g.list, g.read, g.alone = nil, nil, nil
	for _, r := range g.set {
		if r != nil {
			g.list, g.read, g.alone = append(g.list, r), append(g.read, r.Consumer), r
		}
	}
	if len(g.list) > 1 {
		g.alone = nil
	}
}

// Stats implements rings. What was read, and not handed out before the end, counts as
// unread.
func (g *group) Stats() event.Stats {
	s := g.Merged.Stats()
	s.Delivered += g.polled
	if g.closed {
		s.Lost[event.CauseUnread] += g.gone.Delivered - s.Delivered
	}
	return s
}

// members is the group as a producer with several rings.
type members group

// Rings implements [source.Rings].
func (g *members) Rings() []source.Ring { return g.list }

// Stats implements [source.Rings].
func (g *members) Stats() event.Stats {
	sum := g.gone
	for _, r := range g.set {
		if r != nil {
			s := r.Consumer.Stats()
			add(&sum, &s)
		}
	}
	return sum
}

// Close implements [source.Rings].
func (g *members) Close() error {
	for _, r := range g.set {
		if r != nil {
			(*group)(g).drop(r)
		}
	}
	g.closed = true
	return nil
}

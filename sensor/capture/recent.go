package capture

import (
	"compress/gzip"
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/rs/zerolog"
)

// RecentConfig says how much of the newest events is kept and where it goes.
type RecentConfig struct {
	Path string
	Pack bool  // by gzip
	Size int64 // bytes of events in memory; what was known at some times comes on top
	Log  zerolog.Logger

	// Begin tells what is known before the event rec.
	Begin func(rec []byte, add func(Entry))
}

// Recent keeps the newest part of a capture in memory: a flight recorder. It is
// in pieces, each of which begins with what was known at its time, so that the
// oldest one can go. All but [Recent.Ask] is for one goroutine.
type Recent struct {
	cfg    RecentConfig
	pieces []*piece // the oldest first
	free   [][]byte // of pieces that have gone
	size   int64    // of the events in all pieces but the last
	anew   bool     // the next piece is a section of its own

	asked   atomic.Bool
	written int // number of the last file that was asked for, of earlier runs too
}

// piece is a whole capture.
type piece struct {
	writer *Writer
	chunks [][]byte // what was written
	lists  int      // chunks before those of the events
	before int64    // their bytes
	alone  bool
}

// store puts what a piece writes into its chunks.
type store struct {
	*Recent
	*piece
}

func (s store) Write(b []byte) (int, error) {
	var chunk []byte
	if n := len(s.free); n > 0 {
		chunk, s.free = s.free[n-1][:0], s.free[:n-1]
	}
	s.chunks = append(s.chunks, append(chunk, b...))
	return len(b), nil
}

// size is that of the events.
func (p *piece) size() int64 { return p.writer.Size() - p.before }

// numPieces is how many pieces the memory has room for.
const numPieces = 8

// NewRecent returns a recorder without events. It creates the file, so that it
// is known at once whether that is possible.
func NewRecent(cfg RecentConfig) (*Recent, error) {
	f, err := os.OpenFile(cfg.Path, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	next, err := behind(cfg.Path+".", 0)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if st, err := f.Stat(); err == nil && st.Mode().IsRegular() && st.Size() > 0 {
		cfg.Log.Warn().Str("file", cfg.Path).Msg("an older file is overwritten")
	}
	return &Recent{cfg: cfg, written: max(next-1, 0)}, f.Close()
}

// Ask has what is kept written into a file of its own. It may be called from any
// goroutine.
func (r *Recent) Ask() { r.asked.Store(true) }

// Add takes no entries: Begin tells what is known. A [Section] makes what comes
// stand alone.
func (r *Recent) Add(e Entry) {
	if _, ok := e.(*Section); ok {
		r.anew = true
	}
}

// Begin is called before the state changes by an event.
func (r *Recent) Begin(_ uint64, rec []byte) error {
	r.answer()
	if n := len(r.pieces); n > 0 && !r.anew && r.pieces[n-1].size() < r.cfg.Size/numPieces {
		return nil
	}
	p := &piece{alone: r.anew}
	p.writer = NewWriter(store{r, p}, false)
	r.anew = false
	r.cfg.Begin(rec, p.writer.Add)
	err := p.writer.Flush()
	p.lists, p.before = len(p.chunks), p.writer.Size()
	if n := len(r.pieces); n > 0 {
		r.size += r.pieces[n-1].size()
	}
	r.pieces = append(r.pieces, p)
	return err
}

// Event keeps an event.
func (r *Recent) Event(cpu uint16, hidden bool, rec []byte) error {
	last := r.pieces[len(r.pieces)-1]
	err := last.writer.Event(cpu, hidden, rec)
	for len(r.pieces) > 1 && r.size+last.size() > r.cfg.Size {
		old := r.pieces[0]
		r.size -= old.size()
		r.free = append(r.free, old.chunks[old.lists:]...)
		r.pieces = slices.Delete(r.pieces, 0, 1)
	}
	return err
}

// Flush is called when no event comes.
func (r *Recent) Flush(bool) error {
	r.answer()
	return nil
}

// answer writes what was asked for: PATH.1, PATH.2 and so on, behind those of earlier
// runs. A failure is no reason to end the recording.
func (r *Recent) answer() {
	if !r.asked.Swap(false) {
		return
	}
	r.written++
	path := r.cfg.Path + "." + strconv.Itoa(r.written)
	if err := r.write(path); err != nil {
		r.cfg.Log.Error().Err(err).Str("file", path).Msg("what was asked for is not written")
	}
}

// Close writes what is kept.
func (r *Recent) Close() error { return r.write(r.cfg.Path) }

func (r *Recent) write(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	if !r.cfg.Pack {
		return errors.Join(r.copy(f), f.Close())
	}
	packed := gzip.NewWriter(f)
	return errors.Join(r.copy(packed), packed.Close(), f.Close())
}

// copy writes the first piece and the events of the others.
func (r *Recent) copy(to io.Writer) error {
	if len(r.pieces) == 0 {
		return NewWriter(to, false).Close() // nothing has happened
	}
	for i, p := range r.pieces {
		if err := p.writer.Flush(); err != nil {
			return err
		}
		chunks := p.chunks
		if i > 0 && !p.alone {
			chunks = chunks[p.lists:]
		}
		for _, chunk := range chunks {
			if _, err := to.Write(chunk); err != nil {
				return err
			}
		}
	}
	return nil
}

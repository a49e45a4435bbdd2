package capture

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// FilesConfig says where a capture goes and when another file begins. What is
// zero is no limit.
type FilesConfig struct {
	Path  string
	Pack  bool          // by gzip
	Size  int64         // bytes after which a file is followed by another
	Every time.Duration // the same, by the time of its first event
	Keep  int           // the files that are kept: the oldest makes room
	Log   zerolog.Logger

	To     io.Writer // takes the place of all files; it stays open
	Source string    // the capture that is read, which is not overwritten; empty if there is none

	// Begin tells what is known before the first event of a file, rec. It is
	// not called where [Files.Add] was.
	Begin func(rec []byte, add func(Entry))
}

// Files writes a capture into one file, or one after the other.
type Files struct {
	cfg    FilesConfig
	file   *os.File
	writer *Writer
	early  *early   // takes the place of the first file until its name is known
	index  int      // of the file, from 0
	began  uint64   // time of the first event since the file was created, ns
	holds  bool     // an event is in the file
	names  []string // of the files that are kept, the oldest first
	named  string   // the last name with a time in it

	flushed time.Time
	err     error
}

// Create creates the first file.
func Create(cfg FilesConfig) (*Files, error) {
	f := &Files{cfg: cfg}
	if cfg.To != nil {
		f.writer = NewWriter(cfg.To, cfg.Pack)
		return f, nil
	}
	if f.numbered() {
		var err error
		if f.index, err = behind(cfg.Path, cfg.Keep); err != nil {
			return nil, err
		}
	}
	if f.timed() && cfg.Source != "" {
		f.early = &early{}
		f.writer = NewWriter(f.early, cfg.Pack)
		return f, nil
	}
	if err := f.next(uint64(time.Now().UnixNano())); err != nil {
		return nil, err
	}
	return f, nil
}

// early holds what stands before the first event of another capture: the time of
// that, which may be long ago, is in the name of the file.
type early struct {
	file *os.File
	held bytes.Buffer
}

func (e *early) Write(b []byte) (int, error) {
	if e.file == nil {
		return e.held.Write(b)
	}
	return e.file.Write(b)
}

// settle creates the first file if there is none yet.
func (f *Files) settle(now uint64) error {
	if f.early == nil || f.early.file != nil {
		return nil
	}
	var err error
	if f.file, err = f.open(now); err != nil {
		return err
	}
	f.early.file = f.file
	_, err = f.early.held.WriteTo(f.file)
	return err
}

func (f *Files) rotates() bool { return f.cfg.Size > 0 || f.cfg.Every > 0 }

// timed reports whether the names of files have the time in them.
func (f *Files) timed() bool { return f.cfg.Every > 0 && strings.Contains(f.cfg.Path, "%") }

// numbered reports whether the names of files end with a number, and have no time in them.
func (f *Files) numbered() bool { return f.rotates() && !f.timed() }

// next begins another file.
func (f *Files) next(now uint64) error {
	file, err := f.open(now)
	if err != nil {
		return err
	}
	f.file, f.writer, f.began, f.holds = file, NewWriter(file, f.cfg.Pack), 0, false
	return nil
}

// open creates the next file.
func (f *Files) open(now uint64) (*os.File, error) {
	name := f.name(now)
	if f.isSource(name) {
		return nil, fmt.Errorf("%s is the file that is read", name)
	}
	if err := f.makeRoom(name); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err == nil {
		f.index++
	}
	return file, err
}

// isSource reports whether the next file would take the place of the one that is read.
func (f *Files) isSource(name string) bool {
	if f.cfg.Source == "" {
		return false
	}
	from, err := os.Stat(f.cfg.Source)
	if err != nil {
		return false
	}
	to, err := os.Stat(name)
	return err == nil && to.Mode().IsRegular() && os.SameFile(from, to)
}

// makeRoom removes the oldest file if there would be too many, and says so if
// the new one takes the place of one that another run has written.
func (f *Files) makeRoom(name string) error {
	if f.cfg.Keep > 0 && len(f.names) == f.cfg.Keep {
		if f.names[0] != name {
			if err := os.Remove(f.names[0]); err != nil {
				return err
			}
		}
		f.names = slices.Delete(f.names, 0, 1)
	} else if st, err := os.Stat(name); err == nil && st.Mode().IsRegular() && st.Size() > 0 {
		f.cfg.Log.Warn().Str("file", name).Msg("an older file is overwritten")
	}
	if f.cfg.Keep > 0 {
		f.names = append(f.names, name)
	}
	return nil
}

// name is that of the next file: the path with a number behind it, or with the
// time in its places.
func (f *Files) name(now uint64) string {
	if !f.rotates() {
		return f.cfg.Path
	}
	if !f.numbered() {
		name := formatTime(f.cfg.Path, time.Unix(0, int64(now)))
		if name != f.named {
			f.named = name
			return name
		}
		return name + "." + strconv.Itoa(f.index) // it has no place for seconds
	}
	index := f.index
	if f.cfg.Keep > 0 {
		index %= f.cfg.Keep
	}
	return f.cfg.Path + strconv.Itoa(index)
}

// timeFormats are the conversions of strftime(3) that a path may have.
var timeFormats = map[byte]string{
	'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'H': "15", 'M': "04", 'S': "05", 'j': "002",
	'b': "Jan", 'F': "2006-01-02", 'T': "15:04:05", 'Z': "MST", 'z': "-0700",
}

// formatTime fills in the time as strftime does. What is no conversion stays.
func formatTime(path string, t time.Time) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' || i+1 == len(path) {
			b.WriteByte(path[i])
			continue
		}
		i++
		switch layout, ok := timeFormats[path[i]]; {
		case ok:
			b.WriteString(t.Format(layout))
		case path[i] == 's':
			b.WriteString(strconv.FormatInt(t.Unix(), 10))
		case path[i] == '%':
			b.WriteByte('%')
		default:
			b.WriteString(path[i-1 : i+1])
		}
	}
	return b.String()
}

// Add writes an entry that stands before the events.
func (f *Files) Add(e Entry) { f.writer.Add(e) }

// Begin is called before the state changes by an event of the time now, in
// nanoseconds, whether it will be written or not.
func (f *Files) Begin(now uint64, rec []byte) error {
	if f.err != nil {
		return f.err
	}
	if f.err = f.settle(now); f.err != nil {
		return f.err
	}
	if f.full(now) {
		if f.err = f.close(); f.err == nil {
			f.err = f.next(now)
		}
		if f.err != nil {
			return f.err
		}
	}
	if f.began == 0 {
		f.began = now
		if f.writer.Fresh() && f.cfg.Begin != nil {
			f.cfg.Begin(rec, f.writer.Add)
		}
	}
	return nil
}

// Event writes an event.
func (f *Files) Event(cpu uint16, hidden bool, rec []byte) error {
	if f.err == nil {
		f.holds = true
		f.err = f.writer.Event(cpu, hidden, rec)
	}
	return f.err
}

// full reports whether an event at that time goes into another file.
func (f *Files) full(now uint64) bool {
	if f.began == 0 || !f.holds {
		return false
	}
	return f.cfg.Size > 0 && f.writer.Size() > f.cfg.Size ||
		f.cfg.Every > 0 && now > f.began && now-f.began >= uint64(f.cfg.Every)
}

// flushPause is between two flushes: each costs a packed file some bytes.
const flushPause = 500 * time.Millisecond

// Flush writes what is in the buffer, unless that was done less than half a
// second ago. Who waits for it gets it now.
func (f *Files) Flush(now bool) error {
	if t := time.Now(); f.err == nil && (now || t.Sub(f.flushed) >= flushPause) {
		f.flushed = t
		f.err = f.writer.Flush()
	}
	return f.err
}

func (f *Files) close() error {
	if err := f.settle(uint64(time.Now().UnixNano())); err != nil {
		return err
	}
	err := f.writer.Close()
	if f.file == nil {
		return err
	}
	if closeErr := f.file.Close(); err == nil {
		err = closeErr
	}
	return err
}

// Close ends the last file.
func (f *Files) Close() error {
	err := f.close()
	if f.err == nil {
		f.err = err
	}
	return f.err
}

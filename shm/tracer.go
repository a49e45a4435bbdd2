package shm

import (
	"bytes"
	"strings"
	"unicode"
)

// Tracer is what a producer says of itself to a reader of ours. It is shown to
// people, and nothing is decided by it.
type Tracer struct {
	Container string // where it runs
	Command   string // that it traces
}

// introduce writes who the producer is, for a reader that leaves room for it.
func (p *Producer) introduce() {
	if p.extSize.Load() < extSize {
		return
	}
	put(p.container, p.cfg.Tracer.Container)
	put(p.command, p.cfg.Tracer.Command)
}

// put writes a text, as far as there is room for it and a NUL.
func put(room []byte, text string) {
	n := copy(room[:len(room)-1], text)
	clear(room[n:])
}

// Tracer is what the process that came first of those of ours that write the ring says
// of itself, or has said, if there is none any more.
func (c *Consumer) Tracer() (t Tracer) {
	if c.err != nil || !c.ours {
		return t
	}
	var err error // the next call of Next finds it too
	defer c.catch(arm(), &err)
	return Tracer{Container: get(c.container), Command: get(c.command)}
}

// get reads a text that anybody may have written, and may be writing.
func get(room []byte) string {
	text := bytes.Clone(room)
	if end := bytes.IndexByte(text, 0); end >= 0 {
		text = text[:end]
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(string(text), "?"))
}

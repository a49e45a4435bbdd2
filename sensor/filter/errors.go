package filter

import (
	"fmt"
	"strings"
)

// Bounds of a condition.
const (
	MaxText  = 1 << 20 // bytes
	MaxDepth = 500     // parentheses, nots and transformers within each other
	MaxConst = 255     // bytes of a constant, as in libsinsp
)

// Pos is a place in a condition.
type Pos struct {
	Offset    int // from 0, bytes
	Line, Col int // from 1; columns are bytes
}

// Error says why a condition is refused, and where.
type Error struct {
	Pos  Pos
	Msg  string
	Text string // the condition
	Err  error  // what a [Schema] has said, or what is wrong with a constant; else nil
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Error is LINE:COLUMN: message.
func (e *Error) Error() string {
	return fmt.Sprintf("%d:%d: %s", e.Pos.Line, e.Pos.Col, e.Msg)
}

// shownAround is how much of a line is shown before and behind the place.
const shownAround = 60

// Detail returns the error's line of the condition and below it a caret.
func (e *Error) Detail() string {
	at := min(e.Pos.Offset, len(e.Text))
	start := strings.LastIndexByte(e.Text[:at], '\n') + 1
	end := len(e.Text)
	if i := strings.IndexByte(e.Text[at:], '\n'); i >= 0 {
		end = at + i
	}
	start, end = max(start, at-shownAround), min(end, at+shownAround)
	return oneLine(e.Text[start:end]) + "\n" + strings.Repeat(" ", len([]rune(oneLine(e.Text[start:at])))) + "^"
}

// oneLine keeps terminals from acting on what stands in a condition.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ':
			return ' '
		case r == 0x7f || r == 0xfffd:
			return '.'
		}
		return r
	}, s)
}

// Place is the position of an offset in text.
func Place(text string, offset int) Pos {
	before := text[:min(offset, len(text))]
	line := strings.Count(before, "\n")
	return Pos{Offset: offset, Line: line + 1, Col: offset - strings.LastIndexByte(before, '\n')}
}

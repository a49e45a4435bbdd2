package event

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestAppendLine(t *testing.T) {
	for _, row := range []struct{ in, want string }{
		{"", ""},
		{"plain é \xff\xc2 \\n %", "plain é \xff\xc2 \\n %"},
		{"\n", `\n`},
		{"a\a\b\t\n\v\f\rz", `a\a\b\t\n\v\f\rz`},
		{"\x00\x1b[2J\x1f\x7f", `\x00\x1b[2J\x1f\x7f`},
		{"\u0080\u0085\u009b2J\u009f\u00a0", "\\u0080\\u0085\\u009b2J\\u009f\u00a0"},
		{"\u2027\u2028\u2029\u202a", "\u2027\\u2028\\u2029\u202a"},
		{"\xc2", "\xc2"}, {"\xe2\x80", "\xe2\x80"}, {"\xc2\n", "\xc2\\n"}, // cut
	} {
		got := string(AppendLine([]byte("before "), row.in))
		if got != "before "+row.want {
			t.Errorf("%q: got %q, want %q", row.in, got, row.want)
		}
		if again := string(AppendLine(nil, row.want)); again != row.want {
			t.Errorf("%q: escaped again: %q", row.want, again)
		}
	}
}

// FuzzAppendLine wants one line, with nothing in it that moves a cursor, and all else as it was.
func FuzzAppendLine(f *testing.F) {
	f.Add("a\n\x1b[2Jé\u0085\u2028\xff\x9b")
	f.Fuzz(func(t *testing.T, s string) {
		line := string(AppendLine(nil, s))
		for _, r := range line {
			if r != utf8.RuneError && (unicode.IsControl(r) || r == '\u2028' || r == '\u2029') {
				t.Fatalf("%q has %q", line, r)
			}
		}
		var p Printer
		if got := string(p.line([]byte("x"+s), 1)); got != "x"+line {
			t.Errorf("in place: got %q, want %q", got, "x"+line)
		}
		if strings.IndexFunc(s, unicode.IsControl) < 0 && !strings.ContainsAny(s, "\u2028\u2029") && line != s {
			t.Errorf("%q became %q", s, line)
		}
	})
}

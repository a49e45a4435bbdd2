package filter

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// known are the fields of the tests.
var known = mock{
	"a.name":            {kind: "string", value: "cat"},
	"a.other":           {kind: "string", value: "dog"},
	"a.path":            {kind: "string", value: "/usr/local/bin/x"},
	"a.gone":            {kind: "string"},
	"a.num":             {kind: "int64", value: -7.0},
	"a.size":            {kind: "uint64", value: 7.0},
	"a.flag":            {kind: "bool", value: true},
	"a.float":           {kind: "double", value: 2.0},
	"a.port":            {kind: "port", value: 443.0},
	"a.ip":              {kind: "ip", value: "10.1.2.3"},
	"a.ips":             {kind: "ip", value: []any{"10.1.2.3", "::1"}, several: Sides},
	"a.net":             {kind: "ipnet", value: "10.1.2.3"},
	"a.bytes":           {kind: "bytes", value: "\x00\xffGET"},
	"a.list":            {kind: "string", value: []any{"-a", "-b", "x", "file"}, list: true},
	"a.empty":           {kind: "string", value: []any{}, list: true},
	"a.any":             {kind: "string", value: []any{"bash", "sshd"}, several: Any},
	"a.key[HOME]":       {kind: "string", value: "/root"},
	"a.key[with blank]": {kind: "string", value: "x"},
}

func TestConditions(t *testing.T) {
	b, err := os.ReadFile("testdata/conditions.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		expr, want, refused := strings.Cut(line, "###")
		if refused {
			expr = strings.TrimRight(expr, " ")
		}
		_, err := Compile(expr, &mockSchema{m: known})
		var e *Error
		switch {
		case !refused && err != nil:
			t.Errorf("%s: %v", expr, err)
		case refused && (!errors.As(err, &e) || !strings.HasPrefix(err.Error(), strings.TrimSpace(want))):
			t.Errorf("%s: error %v, want %s", expr, err, want)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, row := range []struct {
		expr string
		want bool
	}{
		{"a.name = cat", true},
		{"a.name != cat", false},
		{"a.name != dog", true},
		{"a.name < 5", false},
		{"a.name > 5", true},
		{"a.name exists", true},
		{"a.gone exists", false},
		{"a.gone = x", false},
		{"a.gone != x", false},
		{"not a.gone = x", true},
		{"len(a.gone) >= 0", false},
		{"a.name = val(a.gone)", false},
		{"a.name = cat or a.name = x and a.name = y", true},
		{"(a.name = cat or a.name = x) and a.name = y", false},
		{"not (a.name = x or not a.name = cat)", true},
		{"a.name icontains CA and a.name iglob C?T", true},
		{"a.name glob [a-c]at and a.name glob [!d]at and a.name glob [[:lower:]]*", true},
		{"a.name glob [c and a.name glob c*", false},
		{"a.path glob /usr/*/x and a.path glob *", true},
		{"a.path pmatch (/var, /usr/local)", true},
		{"a.path pmatch (/usr/loc)", false},
		{"a.path pmatch (//usr//l*/)", true},
		{"a.path pmatch (/usr/*/x)", false},
		{"a.name regex c.t and a.name regex '(cat|dog)'", true},
		{"a.name regex a", false},
		{"a.name regex 'c|cats'", false},
		{"a.num < 0 and a.num >= -7 and a.num in (1, -7)", true},
		{"a.size = 7 and a.size > 6 and a.size <= 7", true},
		{"a.size > -1", false}, // which is the largest number
		{"a.float > 1", true},
		{"a.port = https and a.port != 80", true},
		{"a.ip = 10.1.2.3 and a.ip != ::1 and a.ip in (::1, 10.1.2.3)", true},
		{"a.ips = ::1", true},
		{"a.ips = 10.1.2.3", true},
		{"a.ips != ::1", false},
		{"a.ips != ::2", true},
		{"a.net = 10.0.0.0/8 and a.net != 192.168.0.0/16 and a.net != fe80::/10", true},
		{"a.net = 0.0.0.0/0 and not a.net = ::/0 and a.net != ::/0", true},
		{"a.net in (192.168.0.0/16, 10.0.0.0/8)", true},
		{"a.bytes contains GET and a.bytes bstartswith 00ff and a.bytes bcontains ff47", true},
		{"a.list in (-a, -b, x, file, more)", true},
		{"a.list in (-a, -b)", false},
		{"a.list intersects (x, y)", true},
		{"a.empty in (x)", true},
		{"a.empty in ()", false},
		{"a.empty intersects (x)", false},
		{"len(a.list) = 4", true},
		{"a.any = sshd", true},
		{"a.any = cat", false},
		{"a.any != sshd", true}, // one of them is another
		{"a.name startswith anyof (x, c)", true},
		{"a.name startswith allof (ca, c)", true},
		{"a.name startswith oneof (ca, c)", false},
		{"a.name startswith allof ()", false},
		{"join(',', (a.name, toupper(a.other))) = 'cat,DOG'", true},
		{"concat(a.name, '-', a.other) endswith val(a.other)", true},
		{"basename(a.path) = x", true},
		{"getopt(a.list, 'ab:')[b] = x", true},
		{"getopt(a.list, 'ab:') in (a, b)", true},
		{"getopt(a.list, 'b:') intersects ('?')", true},
		{"getopt(a.list, 'ab:')[c] exists", false},
		{"a.key[HOME] = /root", true},
	} {
		if got := known.eval(row.expr); got != row.want {
			t.Errorf("%s: %v, want %v", row.expr, got, row.want)
		}
	}
}

// TestDetail wants the line and the caret below the place.
func TestDetail(t *testing.T) {
	for _, row := range []struct{ expr, err, detail string }{
		{"a.name = cat and\n\ta.name ~ x and\na.num = 1", "2:9: expected an operator", " a.name ~ x and\n        ^"},
		{"a.name = é and a.name = \xff\x1b)", "1:28: expected \"and\" or \"or\"", "a.name = é and a.name = . )\n                          ^"},
	} {
		_, err := Parse(row.expr)
		var e *Error
		if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), row.err) || e.Detail() != row.detail {
			t.Errorf("%q: %v\n%s\nwant %s\n%s", row.expr, err, e.Detail(), row.err, row.detail)
		}
	}
}

// TestBounds wants what is too deep or too long refused, and what is not taken.
func TestBounds(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("(", n) + "a.name = x" + strings.Repeat(")", n) }
	for expr, ok := range map[string]bool{
		deep(MaxDepth - 1): true,
		deep(MaxDepth):     false,
		deep(100000):       false,
		strings.Repeat("not ", 100000) + "a.name = x":         false,
		strings.Repeat("tolower(", 100000) + "a.name":         false,
		"a.name = " + strings.Repeat("x", MaxConst):           true,
		"a.name = " + strings.Repeat("x", MaxConst+1):         false,
		"a.name in (" + strings.Repeat("x,", MaxText/2) + ")": false,
		"a.name in (x" + strings.Repeat(",x", 100000) + ")":   true,
	} {
		if _, err := Compile(expr, &mockSchema{m: known}); (err == nil) != ok {
			t.Errorf("%.40s... of %d bytes: error %v", expr, len(expr), err)
		}
	}
}

func FuzzCompile(f *testing.F) {
	b, err := os.ReadFile("testdata/conditions.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		expr, _, _ := strings.Cut(line, "###")
		f.Add(strings.TrimSpace(expr))
	}
	f.Fuzz(func(t *testing.T, expr string) {
		s := &mockSchema{m: known}
		p, err := Compile(expr, s)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%q: %T is no *Error", expr, err)
			}
			if e.Pos.Line < 1 || e.Pos.Col < 1 || e.Pos.Offset > len(expr) || strings.Count(e.Detail(), "\n") != 1 {
				t.Errorf("%q: %+v\n%s", expr, e.Pos, e.Detail())
			}
			return
		}
		if first, second := p.Match(s), p.Match(s); first != second {
			t.Errorf("%q: %v, then %v", expr, first, second)
		}
	})
}

// FuzzGlob compares with a matcher that is slow and plain.
func FuzzGlob(f *testing.F) {
	f.Add("/usr/*/[a-c]?", "/usr/lib/bx")
	f.Add(`a\*b[!x]`, "a*by")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if len(pattern) > 12 || len(s) > 12 {
			return
		}
		if got, want := glob([]byte(pattern), []byte(s), false), plainGlob([]byte(pattern), []byte(s)); got != want {
			t.Errorf("glob %q %q: %v, want %v", pattern, s, got, want)
		}
	})
}

func plainGlob(p, s []byte) bool {
	switch {
	case len(p) == 0:
		return len(s) == 0
	case p[0] == '*':
		return plainGlob(p[1:], s) || len(s) > 0 && plainGlob(p, s[1:])
	case len(s) == 0:
		return false
	}
	n := globOne(p, s[0], false)
	return n > 0 && plainGlob(p[n:], s[1:])
}

// fixed are values that cost nothing to bring.
type fixed struct{ s *mockSchema }

func (f fixed) Value(ref int, v *Values) bool {
	switch f.s.names[ref] {
	case "a.gone":
		return false
	case "a.num":
		v.Int(-7)
	default:
		v.Str("/usr/local/bin/x")
	}
	return true
}

// evaluated are conditions whose evaluation is measured.
var evaluated = []struct{ name, expr string }{
	{"equal", "a.name = cat"},
	{"and", "a.name = /usr/local/bin/x and a.num < 0 and not a.gone exists"},
	{"in", "a.name in (a, b, c, d, e, f, g, /usr/local/bin/y)"},
	{"contains", "a.name contains local/bin"},
	{"icontains", "a.name icontains LOCAL/BIN"},
	{"startswith anyof", "a.name startswith anyof (/bin, /sbin, /usr/bin, /usr/local)"},
	{"glob", "a.name glob /usr/*/[a-c]*/x"},
	{"pmatch", "a.name pmatch (/bin, /sbin, /usr/local)"},
	{"regex", "a.name regex '/usr/.*/x'"},
	{"transformers", "len(concat(tolower(a.name), basename(a.name))) > 3"},
	{"val", "a.name endswith val(a.other)"},
}

func TestAllocations(t *testing.T) {
	for _, row := range evaluated {
		if row.name == "regex" && raceDetector {
			continue
		}
		s := &mockSchema{m: known}
		p, err := Compile(row.expr, s)
		if err != nil {
			t.Fatal(err)
		}
		src := fixed{s}
		if n := testing.AllocsPerRun(100, func() { p.Match(src) }); n != 0 {
			t.Errorf("%s: %v allocations per evaluation, want 0", row.name, n)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, row := range evaluated {
		b.Run(row.name, func(b *testing.B) {
			s := &mockSchema{m: known}
			p, err := Compile(row.expr, s)
			if err != nil {
				b.Fatal(err)
			}
			src := fixed{s}
			b.ReportAllocs()
			for b.Loop() {
				p.Match(src)
			}
		})
	}
}

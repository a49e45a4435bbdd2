package verify

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestInShell: where a shell starts falco-trace, and where it only names it.
func TestInShell(t *testing.T) {
	for text, want := range map[string]string{
		"falco-trace run -- nginx":                       "falco-trace run -- nginx",
		"exec /usr/bin/falco-trace run -- nginx; true":   "/usr/bin/falco-trace run -- nginx",
		`A=b "falco-trace" run -- nginx -g 'daemon off'`: "falco-trace run -- nginx -g daemon off",
		"cd / && falco-trace run -- nginx":               "falco-trace run -- nginx",
		"if true; then exec falco-trace run nginx; fi":   "falco-trace run nginx",
		"(falco-trace run -- nginx)":                     "falco-trace run -- nginx",
		"echo falco-trace run -- nginx":                  "",
		"cat /etc/falco-trace":                           "",
		"./falco-trace=b nginx":                          "",
		"":                                               "",
	} {
		words, _ := inShell(text)
		if diff := cmp.Diff(want, strings.Join(words, " ")); diff != "" {
			t.Errorf("%q: (-want +got)\n%s", text, diff)
		}
	}
}

// TestShellText: the text stands behind all options of a shell, and their values.
func TestShellText(t *testing.T) {
	const text = "falco-trace run -- nginx"
	for line, want := range map[string]bool{
		"/bin/sh -c":                      true,
		"sh -ec":                          true,
		"sh -c --":                        true,
		"bash -c -e":                      true,
		"/bin/bash -o pipefail -c":        true,
		"/bin/bash -euxo pipefail -c":     true,
		"/bin/ash -eo pipefail -c":        true,
		"bash -O extglob +o posix -c":     true,
		"bash --norc --rcfile /etc/rc -c": true,
		"bash -o pipefail":                false,
		"bash -e":                         false,
		"bash /start -c":                  false,
		"bash -- -c":                      false,
		"nginx -c":                        false,
	} {
		argv := append(strings.Fields(line), text)
		got, ok := shellText(argv)
		if ok != want || ok && got != text {
			t.Errorf("%s: got %q, %v", line, got, ok)
		}
		if _, found := findStart(argv); found != want {
			t.Errorf("%s: findStart got %v", line, found)
		}
	}
	for _, argv := range [][]string{{"bash", "-c"}, {"bash", "-o"}, {"bash", "-co", "pipefail"}, {"bash", ""}, {"bash"}} {
		if got, ok := shellText(argv); ok {
			t.Errorf("%q: got %q", argv, got)
		}
	}
}

// TestBrackets: what a shell and the tracer are told is not lost in the advice.
func TestBrackets(t *testing.T) {
	for text, want := range map[string]string{
		"cd / && falco-trace run -- a; b":             "falco-trace|run|--|/bin/bash|-o|pipefail|-c|cd / && a; b",
		"cd / && falco-trace run a -x":                "falco-trace|run|--|/bin/bash|-o|pipefail|-c|cd / && a -x",
		"cd / && falco-trace run -o stderr -- a -- b": "falco-trace|run|-o|stderr|--|/bin/bash|-o|pipefail|-c|cd / && a -- b",
		"falco-trace run -o stderr -- a":              "falco-trace|run|-o|stderr|--|a",
	} {
		s, _ := findStart([]string{"/bin/bash", "-o", "pipefail", "-c", text})
		if diff := cmp.Diff(strings.Split(want, "|"), s.brackets()); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

// FuzzCommand: whatever a configuration starts, something is said of it.
func FuzzCommand(f *testing.F) {
	for _, s := range samples {
		f.Add(strings.Join(append(s.images[0].entrypoint, s.images[0].cmd...), "\x00"))
	}
	f.Fuzz(func(t *testing.T, text string) {
		argv := strings.Split(text, "\x00")
		s, ok := findStart(argv)
		if ok != (s.program != "") {
			t.Fatalf("%q: got %v, %+v", argv, ok, s)
		}
		if name, command := s.role(); len(command) >= max(1, len(s.args)) {
			t.Errorf("%q: got %q, %q", argv, name, command)
		}
		if shown := list(s.brackets()); strings.ContainsAny(shown, "\x1b\n\r") {
			t.Errorf("%q: shown is %q", argv, shown)
		}
		programs(argv)
	})
}

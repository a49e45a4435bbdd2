package verify

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// tracer is the name of the program.
const tracer = "falco-trace"

// start is how falco-trace comes to run.
type start struct {
	program string   // as it is called
	args    []string // of falco-trace
	through string   // what starts it, if it is not the first program
	shell   string   // the text of the shell that starts it
	called  []string // that shell and its options
	unsure  bool     // whether through does so cannot be told
}

// starters execute the command that their arguments end with.
var starters = []string{
	"catatonit", "chpst", "docker-init", "dumb-init", "env", "gosu", "ionice", "nice", "nohup", "setpriv", "setsid",
	"stdbuf", "su-exec", "tini", "tini-static",
}

var shells = []string{"ash", "bash", "dash", "ksh", "sh", "zsh"}

// findStart looks for falco-trace in a command line.
func findStart(argv []string) (start, bool) {
	if len(argv) == 0 {
		return start{}, false
	}
	first := path.Base(argv[0])
	if at := shellTextIndex(argv); at >= 0 {
		words, found := inShell(argv[at])
		if !found {
			return start{}, false
		}
		return start{program: words[0], args: words[1:], through: argv[0], shell: argv[at], called: argv[:at]}, true
	}
	i := slices.IndexFunc(argv, func(word string) bool { return path.Base(word) == tracer })
	if i < 0 {
		return start{}, false
	}
	s := start{program: argv[i], args: argv[i+1:]}
	if i > 0 {
		s.through = argv[0]
		s.unsure = !slices.Contains(starters, first)
	}
	return s, true
}

// shellText is what a shell is told to execute by its option -c.
func shellText(argv []string) (string, bool) {
	i := shellTextIndex(argv)
	if i < 0 {
		return "", false
	}
	return argv[i], true
}

// shellTextIndex is where that text stands: behind all options, which need not end with
// -c, and the values of those that have one (-o pipefail). It is -1 without a text.
func shellTextIndex(argv []string) int {
	if !slices.Contains(shells, path.Base(argv[0])) {
		return -1
	}
	asked := false
	i := 1
	for i < len(argv) && isShellOption(argv[i]) {
		word := argv[i]
		i++
		if word == "-" || word == "--" {
			break
		}
		if strings.HasPrefix(word, "--") {
			if word == "--rcfile" || word == "--init-file" {
				i++
			}
			continue
		}
		asked = asked || word[0] == '-' && strings.Contains(word, "c")
		i += strings.Count(word, "o") + strings.Count(word, "O")
	}
	if !asked || i >= len(argv) {
		return -1
	}
	return i
}

func isShellOption(word string) bool {
	return strings.HasPrefix(word, "-") || strings.HasPrefix(word, "+") && len(word) > 1
}

// inShell finds the words of a command falco-trace in the text of a shell: roughly, for
// a text that does not mean to deceive.
func inShell(text string) ([]string, bool) {
	for _, separator := range []string{";", "&", "|", "(", ")", "{", "}", "\n"} {
		text = strings.ReplaceAll(text, separator, " "+endOfCommand+" ")
	}
	words := strings.Fields(text)
	begins := true
	for i, word := range words {
		if begins && path.Base(unquote(word)) == tracer {
			command := words[i:]
			if end := slices.Index(command, endOfCommand); end >= 0 {
				command = command[:end]
			}
			out := make([]string, len(command))
			for i, word := range command {
				out[i] = unquote(word)
			}
			return out, true
		}
		begins = word == endOfCommand || begins && (slices.Contains(prefixes, word) || isAssignment(word))
	}
	return nil, false
}

const endOfCommand = "\x00"

// prefixes may stand before a command of the shell.
var prefixes = []string{"!", "command", "do", "else", "env", "exec", "if", "nohup", "then", "time"}

func isAssignment(word string) bool {
	name, _, ok := strings.Cut(word, "=")
	return ok && name != "" && !strings.ContainsAny(name, `/"'$`)
}

func unquote(word string) string { return strings.Trim(word, `"'`) }

// role splits the arguments of falco-trace: what it is to do, and of run the command,
// which is nil where it cannot be told.
func (s start) role() (name string, command []string) {
	if len(s.args) == 0 {
		return "", nil
	}
	name, rest := s.args[0], s.args[1:]
	if i := slices.Index(rest, "--"); i >= 0 {
		return name, rest[i+1:]
	}
	if len(rest) > 0 && strings.HasPrefix(rest[0], "-") { // the command may be an option's value
		return name, nil
	}
	return name, append([]string{}, rest...)
}

// brackets is a command line in shell form as a list: with the shell behind the tracer
// where the text says more than that it is to run.
func (s start) brackets() []string {
	words := append([]string{s.program}, s.args...)
	if slices.Equal(strings.Fields(s.shell), words) {
		return words
	}
	own := []string{"run", "--"}
	if command := s.command(); command != nil {
		own = s.args[:len(s.args)-len(command)]
	}
	before, rest, _ := strings.Cut(s.shell, s.program)
	for _, word := range own {
		_, rest, _ = strings.Cut(rest, word)
	}
	if own[len(own)-1] != "--" {
		own = append(slices.Clone(own), "--")
	}
	return slices.Concat([]string{s.program}, own, s.called, []string{before + strings.TrimSpace(strings.TrimLeft(rest, `"'`))})
}

// list is a command line as a Containerfile has it.
func list(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = strconv.Quote(word)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

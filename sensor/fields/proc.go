package fields

import (
	"strings"

	"github.com/pdig/pdig/sensor/filter"
	"github.com/pdig/pdig/sensor/state"
)

// ancestral are the bounds of fields that look at ancestors.
const ancestral = noRight | noTransformer

var procFields = []Field{
	{Name: "proc.name", Type: filter.String, Desc: "name of the thread, at most 15 bytes", get: own(comm)},
	{Name: "proc.pname", Type: filter.String, Desc: "name of the parent process", get: parent(comm)},
	{Name: "proc.aname", Type: filter.String, Desc: "name of an ancestor: of the process itself for 0, its parent for 1; without a number of any", get: ancestor(comm), arg: indexArg, several: filter.Any, bounds: ancestral},
	{Name: "proc.exe", Type: filter.String, Desc: "argv[0]", get: own(exe)},
	{Name: "proc.pexe", Type: filter.String, Desc: "argv[0] of the parent", get: parent(exe)},
	{Name: "proc.aexe", Type: filter.String, Desc: "argv[0] of an ancestor", get: ancestor(exe), arg: indexArg, several: filter.Any, bounds: ancestral},
	{Name: "proc.exepath", Type: filter.String, Desc: "path of the program", get: own(exePath)},
	{Name: "proc.pexepath", Type: filter.String, Desc: "path of the parent's program", get: parent(exePath)},
	{Name: "proc.aexepath", Type: filter.String, Desc: "path of an ancestor's program", get: ancestor(exePath), arg: indexArg, several: filter.Any, bounds: ancestral},
	{Name: "proc.args", Type: filter.String, Desc: "arguments behind argv[0], joined by blanks, or one of them", get: procArgs, arg: indexArg},
	{Name: "proc.aargs", Type: filter.String, Desc: "arguments of an ancestor", get: ancestor(args), arg: indexArg, several: filter.Any, bounds: ancestral},
	{Name: "proc.cmdline", Type: filter.String, Desc: "proc.name and proc.args", get: own(cmdline)},
	{Name: "proc.pcmdline", Type: filter.String, Desc: "command line of the parent", get: parent(cmdline)},
	{Name: "proc.acmdline", Type: filter.String, Desc: "command line of an ancestor", get: ancestor(cmdline), arg: indexArg, several: filter.Any, bounds: ancestral},
	{Name: "proc.exeline", Type: filter.String, Desc: "proc.exe and proc.args", get: own(exeline)},
	{Name: "proc.cmdnargs", Type: filter.Uint, Desc: "how many arguments there are behind argv[0]", get: procNumArgs},
	{Name: "proc.cmdlenargs", Type: filter.Uint, Desc: "how many bytes they have", get: procLenArgs},
	{Name: "proc.env", Type: filter.String, Desc: "environment at the start, joined by blanks, or the value of one variable", get: procEnv, arg: keyArg},
	{Name: "proc.aenv", Type: filter.String, Desc: "environment of an ancestor, or the value of one variable of any", get: procAncestorEnv, arg: keyArg, several: filter.Any, bounds: ancestral},
	{Name: "proc.cwd", Type: filter.String, Desc: "working directory, with a slash at its end", get: procCwd},
	{Name: "proc.tty", Type: filter.Uint, Desc: "device of the terminal, 0 without one", get: procTTY},
	{Name: "proc.pid", Type: filter.Int, Desc: "number of the process", get: number(func(th *state.Thread) int64 { return th.PID })},
	{Name: "proc.ppid", Type: filter.Int, Desc: "number of the parent process", get: procParent},
	{Name: "proc.apid", Type: filter.Int, Desc: "number of an ancestor", get: ancestor(pid), arg: indexArg, several: filter.Any, bounds: ancestral},
	{Name: "proc.vpid", Type: filter.Int, Desc: "number of the process in its own pid namespace", get: virtual(vpid)},
	{Name: "proc.pvpid", Type: filter.Int, Desc: "number of the parent process in its own pid namespace", get: parent(parentVPID)},
	{Name: "proc.loginshellid", Type: filter.Int, Desc: "number of the oldest shell among the process and its ancestors", get: procLoginShell},
	{Name: "proc.nthreads", Type: filter.Uint, Desc: "threads of the process", get: procThreads},
	{Name: "proc.nchilds", Type: filter.Uint, Desc: "threads of the process besides the first", get: procOtherThreads},
	{Name: "proc.fdopencount", Type: filter.Uint, Desc: "open descriptors", get: procFDs},
	{Name: "proc.stdin.name", Type: filter.String, Desc: "name of descriptor 0", get: stdName(0)},
	{Name: "proc.stdout.name", Type: filter.String, Desc: "name of descriptor 1", get: stdName(1)},
	{Name: "proc.stderr.name", Type: filter.String, Desc: "name of descriptor 2", get: stdName(2)},
	{Name: "proc.stdin.type", Type: filter.String, Desc: "type of descriptor 0", get: stdType(0)},
	{Name: "proc.stdout.type", Type: filter.String, Desc: "type of descriptor 1", get: stdType(1)},
	{Name: "proc.stderr.type", Type: filter.String, Desc: "type of descriptor 2", get: stdType(2)},
	{Name: "thread.tid", Type: filter.Int, Desc: "number of the thread", get: threadTID},
	{Name: "thread.vtid", Type: filter.Int, Desc: "number of the thread in its own pid namespace", get: virtual(vtid)},
	{Name: "thread.ismain", Type: filter.Bool, Desc: "the thread is the first of its process", get: threadIsMain},
}

// maxAncestors bounds a walk to the first process: what events say of parents
// may go round.
const maxAncestors = 64

// text adds what a thread has for a string.
type text func(e *Event, th *state.Thread, v *filter.Values)

func comm(_ *Event, th *state.Thread, v *filter.Values)    { v.Str(th.Comm) }
func exe(_ *Event, th *state.Thread, v *filter.Values)     { v.Str(th.Program.Exe) }
func exePath(_ *Event, th *state.Thread, v *filter.Values) { v.Str(th.Program.Path) }
func pid(_ *Event, th *state.Thread, v *filter.Values)     { v.Int(th.PID) }

func args(e *Event, th *state.Thread, v *filter.Values) { e.words(th.Program.Args, v) }

func cmdline(e *Event, th *state.Thread, v *filter.Values) { e.line(th.Comm, th.Program.Args, v) }
func exeline(e *Event, th *state.Thread, v *filter.Values) {
	e.buf = append(append(e.buf[:0], th.Program.Exe...), ' ')
	e.buf = appendWords(e.buf, th.Program.Args)
	v.Copy(e.buf)
}

// line adds a name and arguments, joined by blanks.
func (e *Event) line(name, args string, v *filter.Values) {
	e.buf = append(e.buf[:0], name...)
	if args != "" {
		e.buf = appendWords(append(e.buf, ' '), args)
	}
	v.Copy(e.buf)
}

// appendWords appends strings that end with a NUL each, joined by blanks.
func appendWords(dst []byte, words string) []byte {
	words = strings.TrimSuffix(words, "\x00")
	for i := range len(words) {
		c := words[i]
		if c == 0 {
			c = ' '
		}
		dst = append(dst, c)
	}
	return dst
}

func own(add text) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		add(e, e.State.Current(), v)
		return true
	}
}

func parent(add text) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		th := e.State.Parent(e.State.Current())
		if th == nil {
			return false
		}
		add(e, th, v)
		return true
	}
}

// ancestor adds what one ancestor has, or all of them, the parent first.
func ancestor(add text) getter {
	return func(e *Event, a *argument, v *filter.Values) bool {
		th := e.State.Current()
		if a.given {
			for i := 0; i < min(a.index, maxAncestors) && th != nil; i++ {
				th = e.State.Parent(th)
			}
			if th == nil || a.index > maxAncestors {
				return false
			}
			add(e, th, v)
			return true
		}
		for range maxAncestors {
			if th = e.State.Parent(th); th == nil {
				break
			}
			add(e, th, v)
		}
		return len(v.All()) > 0
	}
}

func number(of func(*state.Thread) int64) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		v.Int(of(e.State.Current()))
		return true
	}
}

// procParent is missing where sysdig 0.41.4 knows no parent.
func procParent(e *Event, _ *argument, v *filter.Values) bool {
	th := e.State.Current()
	v.Int(th.PTID)
	return !e.State.Guesses() || !e.newest() || e.State.Parent(th) != nil
}

func vpid(th *state.Thread) int64 { return th.VPID }
func vtid(th *state.Thread) int64 { return th.VTID }

// virtual is a number of the thread's own pid namespace, if it is known.
func virtual(of func(*state.Thread) int64) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		n := of(e.State.Current())
		v.Int(n)
		return n != 0
	}
}

func parentVPID(_ *Event, th *state.Thread, v *filter.Values) { v.Int(th.VPID) }

func threadTID(e *Event, _ *argument, v *filter.Values) bool {
	v.Int(e.View.TID())
	return true
}

func threadIsMain(e *Event, _ *argument, v *filter.Values) bool {
	th := e.State.Current()
	v.Bool(th.TID == th.PID)
	return true
}

// words gives a list of NUL-terminated strings as one.
func (e *Event) words(list string, v *filter.Values) bool {
	e.buf = appendWords(e.buf[:0], list)
	v.Copy(e.buf)
	return true
}

func procArgs(e *Event, a *argument, v *filter.Values) bool {
	args := e.State.Current().Program.Args
	if !a.given {
		return e.words(args, v)
	}
	for range a.index {
		_, args, _ = strings.Cut(args, "\x00")
	}
	word, _, _ := strings.Cut(args, "\x00")
	v.Str(word)
	return true
}

func procNumArgs(e *Event, _ *argument, v *filter.Values) bool {
	v.Uint(uint64(strings.Count(e.State.Current().Program.Args, "\x00")))
	return true
}

func procLenArgs(e *Event, _ *argument, v *filter.Values) bool {
	args := e.State.Current().Program.Args
	v.Uint(uint64(len(args) - strings.Count(args, "\x00")))
	return true
}

func procEnv(e *Event, a *argument, v *filter.Values) bool {
	env := e.State.Current().Program.Env
	if !a.given {
		return e.words(env, v)
	}
	value, _ := variable(env, a.text)
	v.Str(value) // empty if there is none, as Falco has it
	return true
}

// variable is the value of a variable of an environment.
func variable(env, name string) (value string, ok bool) {
	for env != "" {
		var entry string
		entry, env, _ = strings.Cut(env, "\x00")
		if len(entry) > len(name) && entry[len(name)] == '=' && entry[:len(name)] == name {
			return entry[len(name)+1:], true
		}
	}
	return "", false
}

// procAncestorEnv is the environment of one ancestor, that of each, or what a
// variable is for each that has it.
func procAncestorEnv(e *Event, a *argument, v *filter.Values) bool {
	if a.given && a.number {
		return ancestor(environ)(e, a, v)
	}
	th := e.State.Current()
	for range maxAncestors {
		if th = e.State.Parent(th); th == nil {
			break
		}
		if !a.given {
			environ(e, th, v)
		} else if value, ok := variable(th.Program.Env, a.text); ok {
			v.Str(value)
		}
	}
	return len(v.All()) > 0
}

func environ(e *Event, th *state.Thread, v *filter.Values) { e.words(th.Program.Env, v) }

func procCwd(e *Event, _ *argument, v *filter.Values) bool {
	cwd := e.State.Cwd()
	if cwd == "./" && e.State.Current().PTID >= 0 && e.newest() && e.State.Guesses() {
		cwd = "" // where names are below it: nobody has told of it
	}
	v.Str(cwd)
	return true
}

func procTTY(e *Event, _ *argument, v *filter.Values) bool {
	v.Uint(uint64(e.State.Current().TTY))
	return true
}

func procLoginShell(e *Event, _ *argument, v *filter.Values) bool {
	shell := int64(0)
	th := e.State.Current()
	for i := 0; i < maxAncestors && th != nil; i++ {
		if strings.HasSuffix(th.Comm, "sh") {
			shell = th.PID
		}
		th = e.State.Parent(th)
	}
	v.Int(shell)
	return shell != 0
}

func procThreads(e *Event, _ *argument, v *filter.Values) bool {
	v.Uint(uint64(e.numThreads()))
	return true
}

// numThreads is how many threads the process has. One that ends is none of them, but
// for 0.29.3, where it goes with the next event.
func (e *Event) numThreads() int {
	n := e.State.Current().NumThreads()
	if e.newest() && e.View.Name() == "procexit" {
		n--
	}
	return n
}

// procOtherThreads is of the first thread only for sysdig 0.29.3.
func procOtherThreads(e *Event, _ *argument, v *filter.Values) bool {
	n := 0
	if th := e.State.Current(); e.newest() || th.TID == th.PID {
		n = e.numThreads() - 1
	}
	v.Uint(uint64(max(n, 0)))
	return true
}

func procFDs(e *Event, _ *argument, v *filter.Values) bool {
	v.Uint(uint64(e.State.Current().NumFDs()))
	return true
}

func stdName(fd int64) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		d, ok := e.State.FD(fd)
		v.Str(d.Name)
		return ok
	}
}

func stdType(fd int64) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		d, ok := e.State.FD(fd)
		v.Str(fdTypes[d.Letter&0x7f])
		return ok
	}
}

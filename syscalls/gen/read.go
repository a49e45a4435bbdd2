package main

import (
	"bufio"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// tables is everything that the text tables say, checked for consistency.
type tables struct {
	versions     []version
	events       []event
	calls        []call
	scs          []sc
	flagTables   *ordered[flag]
	dynTables    *ordered[param]
	transTables  *ordered[rule]
	funcs        []string // names of functions, sorted
	categories   []string // in order of first use
	versionIndex map[string]int
	conversions  []conversion // by code
}

type version struct {
	name   string
	events int
}

type event struct {
	code                     int
	enum, name, class, flags string
	since                    int
	params                   []param
	captured                 bool
}

type param struct {
	name, typ, arg, format string
	src                    source
	since                  int
	oldName, oldType       string
}

type flag struct {
	name, value string
	since       int
}

type rule struct{ kind, native, ppm, arch string }

type sc struct {
	code  int
	name  string
	since int
}

type call struct {
	name    string
	nr      [4]string
	sc      int
	level   string
	classes []string
	enter   []int
}

// ordered keeps rows by table name, in the order of the file.
type ordered[T any] struct {
	names []string
	rows  map[string][]T
}

func (o *ordered[T]) add(name string, row T) {
	if o.rows == nil {
		o.rows = map[string][]T{}
	}
	if _, ok := o.rows[name]; !ok {
		o.names = append(o.names, name)
	}
	o.rows[name] = append(o.rows[name], row)
}

// eachLine calls f with the fields of every line of a table.
func eachLine(dir fs.FS, name string, minFields int, f func([]string) error) error {
	file, err := dir.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	in := bufio.NewScanner(file)
	for n := 1; in.Scan(); n++ {
		line := in.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < minFields {
			return fmt.Errorf("%s:%d: %d fields, want at least %d", name, n, len(fields), minFields)
		}
		if err := f(fields); err != nil {
			return fmt.Errorf("%s:%d: %w", name, n, err)
		}
	}
	return in.Err()
}

func readTables(dir fs.FS) (*tables, error) {
	t := &tables{
		flagTables: &ordered[flag]{}, dynTables: &ordered[param]{}, transTables: &ordered[rule]{},
		versionIndex: map[string]int{"-": 0},
	}
	steps := []struct {
		file   string
		fields int
		f      func([]string) error
	}{
		{"versions.txt", 2, t.addVersion},
		{"flags.txt", 3, t.addFlag},
		{"dyn.txt", 5, t.addDyn},
		{"translate.txt", 4, t.addRule},
		{"events.txt", 7, t.addEvent},
		{"newest.txt", 3, t.addConversion},
		{"ppm_sc.txt", 2, t.addSC},
		{"calls.txt", 9, t.addCall},
	}
	for _, s := range steps {
		if err := eachLine(dir, s.file, s.fields, s.f); err != nil {
			return nil, err
		}
	}
	return t, t.check()
}

func (t *tables) addVersion(f []string) error {
	n, err := strconv.Atoi(f[1])
	t.versionIndex[f[0]] = len(t.versions)
	t.versions = append(t.versions, version{f[0], n})
	return err
}

// tag returns the index of the version in a ">=version" field.
func (t *tables) tag(field string) (int, error) {
	v, ok := t.versionIndex[strings.TrimPrefix(field, ">=")]
	if !ok {
		return 0, fmt.Errorf("unknown version %q", field)
	}
	return v, nil
}

func (t *tables) addFlag(f []string) (err error) {
	x := flag{name: f[1], value: f[2]}
	if len(f) > 3 {
		x.since, err = t.tag(f[3])
	}
	t.flagTables.add(f[0], x)
	return err
}

func (t *tables) addDyn(f []string) error {
	if got, want := f[1], strconv.Itoa(len(t.dynTables.rows[f[0]])); got != want {
		return fmt.Errorf("selector %s, want %s", got, want)
	}
	t.dynTables.add(f[0], param{name: f[2], typ: f[3], format: f[4]})
	return nil
}

func (t *tables) addRule(f []string) error {
	r := rule{kind: f[1], native: f[2], ppm: f[3]}
	if len(f) > 4 {
		r.arch = f[4]
	}
	switch r.kind {
	case "bits", "equal", "else", "access", "keep":
	default:
		return fmt.Errorf("unknown kind %q", r.kind)
	}
	t.transTables.add(f[0], r)
	return nil
}

func (t *tables) addEvent(f []string) error {
	line := strings.Split(strings.Join(f, " "), " ; ")
	h := strings.Fields(line[0])
	if len(h) != 7 {
		return fmt.Errorf("%d fields before the first parameter, want 7", len(h))
	}
	e := event{enum: h[2], name: h[3], class: h[4], flags: h[5], captured: true}
	var err error
	if e.code, err = strconv.Atoi(h[0]); err != nil {
		return err
	}
	if e.code != len(t.events) {
		return fmt.Errorf("code %d, want %d", e.code, len(t.events))
	}
	if want := [2]string{">", "<"}[e.code&1]; h[1] != want {
		return fmt.Errorf("direction %s of code %d, want %s", h[1], e.code, want)
	}
	if e.since, err = t.tag(h[6]); err != nil {
		return err
	}
	for _, text := range line[1:] {
		p, err := t.parseParam(text)
		if err != nil {
			return fmt.Errorf("parameter %q: %w", text, err)
		}
		if p.since == 0 {
			p.since = e.since
		}
		e.captured = e.captured && p.src.op != "OpNone"
		e.params = append(e.params, p)
	}
	t.category(e.class)
	t.events = append(t.events, e)
	return nil
}

func (t *tables) category(name string) int {
	for i, c := range t.categories {
		if c == name {
			return i
		}
	}
	t.categories = append(t.categories, name)
	return len(t.categories) - 1
}

func (t *tables) parseParam(text string) (p param, err error) {
	f := strings.Fields(text)
	if len(f) < 4 {
		return p, fmt.Errorf("%d fields, want at least 4", len(f))
	}
	p.name, p.format = f[0], f[2]
	p.typ, p.arg, _ = strings.Cut(f[1], ":")
	if _, ok := typeConst[p.typ]; !ok {
		return p, fmt.Errorf("unknown type %q", p.typ)
	}
	if p.src, err = t.parseSource(f[3]); err != nil {
		return p, err
	}
	for _, x := range f[4:] {
		switch {
		case strings.HasPrefix(x, ">="):
			if p.since, err = t.tag(x); err != nil {
				return p, err
			}
		case strings.HasPrefix(x, "was="):
			p.oldName, p.oldType, _ = strings.Cut(x[len("was="):], "/")
			if _, ok := typeConst[p.oldType]; !ok {
				return p, fmt.Errorf("unknown type %q", p.oldType)
			}
		default:
			return p, fmt.Errorf("unknown field %q", x)
		}
	}
	return p, nil
}

func (t *tables) addSC(f []string) (err error) {
	x := sc{name: f[1]}
	if x.code, err = strconv.Atoi(f[0]); err != nil {
		return err
	}
	if len(f) > 2 {
		x.since, err = t.tag(f[2])
	}
	t.scs = append(t.scs, x)
	return err
}

func (t *tables) addCall(f []string) (err error) {
	c := call{name: f[0], nr: [4]string{f[1], f[2], f[3], f[4]}, level: f[6]}
	if c.sc, err = strconv.Atoi(f[5]); err != nil {
		return err
	}
	if f[7] != "-" {
		c.classes = strings.Split(f[7], ",")
	}
	if f[8] != "-" {
		for _, s := range strings.Split(f[8], ",") {
			n, err := strconv.Atoi(s)
			if err != nil {
				return err
			}
			c.enter = append(c.enter, n)
		}
	}
	t.calls = append(t.calls, c)
	return nil
}

// check compares the tables with each other.
func (t *tables) check() error {
	for _, c := range t.calls {
		for _, e := range c.enter {
			if e&1 != 0 || e+1 >= len(t.events) {
				return fmt.Errorf("calls.txt: %s: no enter event %d", c.name, e)
			}
		}
	}
	if n := t.versions[len(t.versions)-1].events; n != len(t.events) {
		return fmt.Errorf("events.txt: %d events, versions.txt says %d", len(t.events), n)
	}
	for _, e := range t.events {
		for _, p := range e.params {
			if err := t.checkParam(p, len(e.params)); err != nil {
				return fmt.Errorf("events.txt: %d %s: %w", e.code, p.name, err)
			}
		}
	}
	return nil
}

func (t *tables) checkParam(p param, n int) error {
	if p.arg == "" {
		return nil
	}
	if p.typ == "FSRELPATH" {
		if i, err := strconv.Atoi(p.arg); err != nil || i < 0 || i >= n {
			return fmt.Errorf("no parameter %q", p.arg)
		}
		return nil
	}
	if p.typ == "DYN" {
		if t.dynTables.rows[p.arg] == nil {
			return fmt.Errorf("no alternatives %q", p.arg)
		}
		return nil
	}
	if t.flagTables.rows[p.arg] == nil {
		return fmt.Errorf("no flag table %q", p.arg)
	}
	return nil
}

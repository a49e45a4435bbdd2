package main

import (
	"bytes"
	"fmt"
	"sort"
	"strconv"
	"strings"
)

var eventFlagConst = map[string]string{
	"creates_fd": "CreatesFD", "destroys_fd": "DestroysFD", "uses_fd": "UsesFD",
	"modifies_state": "ModifiesState", "reads_from_fd": "ReadsFromFD", "writes_to_fd": "WritesToFD",
	"waits": "Waits", "old_version": "OldVersion", "unused": "Unused",
	"skipparsereset": "SkipParseReset", "large_payload": "LargePayload",
}

// camel turns a_name into AName.
func camel(s string) string {
	var b strings.Builder
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return r == '_' || r == ' ' }) {
		b.WriteString(strings.ToUpper(w[:1]) + w[1:])
	}
	return b.String()
}

func writeEvents(b *bytes.Buffer, t *tables) {
	fmt.Fprintf(b, "// NumEvents is the number of event codes of the newest version.\nconst NumEvents = %d\n\n", len(t.events))
	b.WriteString("// Categories of events.\nconst (\n")
	for i, c := range t.categories {
		decl := ""
		if i == 0 {
			decl = " Category = iota"
		}
		fmt.Fprintf(b, "Category%s%s\n", camel(c), decl)
	}
	b.WriteString(")\n\nvar categoryNames = [...]string{\n")
	for _, c := range t.categories {
		fmt.Fprintf(b, "%q,\n", c)
	}
	b.WriteString("}\n\n// TagNames are the versions of Falco's driver, oldest first.\nvar TagNames = [...]string{\n")
	for _, v := range t.versions {
		fmt.Fprintf(b, "%q,\n", v.name)
	}
	b.WriteString("}\n\nvar typeNames = [numTypes]string{\n")
	for _, name := range sortedKeys(typeConst) {
		if name != "CHARBUF_ARRAY" {
			fmt.Fprintf(b, "%s: %q,\n", typeConst[name], name)
		}
	}
	b.WriteString("}\n\n// Events is the event table, indexed by code.\nvar Events = [NumEvents]Event{\n")
	for i := range t.events {
		writeEvent(b, t, &t.events[i])
	}
	b.WriteString("}\n\n")
	writeOlder(b, t)
}

func sortedKeys(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func writeEvent(b *bytes.Buffer, t *tables, e *event) {
	var flags []string
	if e.flags != "-" {
		for _, f := range strings.Split(e.flags, ",") {
			flags = append(flags, eventFlagConst[f])
		}
	}
	fmt.Fprintf(b, "%d: {Name: %q, Enum: %q, Class: Category%s", e.code, e.name, e.enum, camel(e.class))
	if flags != nil {
		fmt.Fprintf(b, ", Flags: %s", strings.Join(flags, "|"))
	}
	if e.since != 0 {
		fmt.Fprintf(b, ", Since: %d", e.since)
	}
	if e.params != nil {
		b.WriteString(", Params: []Param{\n")
		for _, p := range e.params {
			writeParam(b, p)
			b.WriteString(",\n")
		}
		b.WriteString("}")
	}
	b.WriteString("},\n")
}

var formatConst = map[string]string{"na": "FormatNone", "dec": "Dec", "hex": "Hex", "oct": "Oct"}

func writeParam(b *bytes.Buffer, p param) {
	fmt.Fprintf(b, "{Name: %q, Type: %s, Format: %s", p.name, typeConst[p.typ], formatConst[p.format])
	dirfd := "-1"
	switch {
	case p.arg == "":
	case p.typ == "FSRELPATH":
		dirfd = p.arg
	case p.typ == "DYN":
		fmt.Fprintf(b, ", Dyn: dyn%s", camel(p.arg))
	default:
		fmt.Fprintf(b, ", Flags: flags%s", camel(p.arg))
	}
	fmt.Fprintf(b, ", Dirfd: %s", dirfd)
	if p.since != 0 {
		fmt.Fprintf(b, ", Since: %d", p.since)
	}
	if p.src.op != "OpNone" {
		b.WriteString(", Source: ")
		writeSource(b, p.src)
	}
	if p.oldName != "" {
		fmt.Fprintf(b, ", Old: &OldParam{%q, %s}", strings.ReplaceAll(p.oldName, "_ID", " ID"), typeConst[p.oldType])
	}
	b.WriteString("}")
}

func writeSource(b *bytes.Buffer, s source) {
	fmt.Fprintf(b, "Source{Op: %s", s.op)
	for _, f := range []struct {
		name string
		v    int
	}{{"A", s.a}, {"B", s.b}, {"Width", s.width}, {"Off", s.off}} {
		if f.v != 0 {
			fmt.Fprintf(b, ", %s: %d", f.name, f.v)
		}
	}
	if s.trans != "" {
		fmt.Fprintf(b, ", Table: Trans%s", camel(s.trans))
	}
	if s.fn != "" {
		fmt.Fprintf(b, ", Func: Func%s", camel(s.fn))
	}
	if s.k != "" && s.k != "0" {
		fmt.Fprintf(b, ", Const: %s", s.k)
	}
	b.WriteString("}")
}

// writeOlder writes the first code of each call that has several.
func writeOlder(b *bytes.Buffer, t *tables) {
	b.WriteString("// older is indexed by code - CeilingA.\nvar older = [NumEvents - CeilingA]uint16{\n")
	first := map[int]int{}
	for _, c := range t.calls {
		if n := len(c.enter); n > 0 && c.enter[n-1] < ceilingA {
			for _, e := range c.enter {
				if e >= ceilingA {
					first[e] = c.enter[n-1]
				}
			}
		}
	}
	for i := range t.events {
		if o, ok := first[i&^1]; ok && i >= ceilingA && sameStart(t.events[i].params, t.events[o+i&1].params) {
			fmt.Fprintf(b, "%d - CeilingA: %d,\n", i, o+i&1)
		}
	}
	b.WriteString("}\n")
}

// sameStart reports whether event a begins with the parameters that the oldest
// version of event b has.
func sameStart(a, b []param) bool {
	for i := range min(len(a), len(b)) {
		if b[i].since == 0 && a[i].typ != b[i].typ {
			return false
		}
	}
	return true
}

// ceilingA is syscalls.CeilingA.
const ceilingA = 336

func writeFlags(b *bytes.Buffer, t *tables) {
	b.WriteString("// Names of flags, in printing order.\nvar (\n")
	for _, name := range t.flagTables.names {
		fmt.Fprintf(b, "flags%s = []Flag{\n", camel(name))
		for _, f := range t.flagTables.rows[name] {
			fmt.Fprintf(b, "{%q, %s, %d},\n", f.name, f.value, f.since)
		}
		b.WriteString("}\n")
	}
	b.WriteString(")\n\n// Alternatives of Dyn parameters, by selector.\nvar (\n")
	for _, name := range t.dynTables.names {
		fmt.Fprintf(b, "dyn%s = []Param{\n", camel(name))
		for _, p := range t.dynTables.rows[name] {
			writeParam(b, param{name: p.name, typ: p.typ, format: p.format, src: source{op: "OpNone"}})
			b.WriteString(",\n")
		}
		b.WriteString("}\n")
	}
	b.WriteString(")\n\n// Translations from native numbers.\nconst (\n")
	for i, name := range t.transTables.names {
		fmt.Fprintf(b, "Trans%s Trans = %d\n", camel(name), i+1)
	}
	b.WriteString(")\n\nvar translations = [...]struct{ amd64, arm64 Translation }{\n")
	for _, name := range t.transTables.names {
		fmt.Fprintf(b, "Trans%s: {\n", camel(name))
		for _, arch := range []string{"amd64", "arm64"} {
			fmt.Fprintf(b, "%s: ", arch)
			writeTranslation(b, t.transTables.rows[name], arch)
		}
		b.WriteString("},\n")
	}
	b.WriteString("}\n\n// Named functions of the capture grammar.\nconst (\n")
	for i, name := range t.funcs {
		fmt.Fprintf(b, "Func%s Func = %d\n", camel(name), i+1)
	}
	fmt.Fprintf(b, ")\n\n// NumFuncs is one more than the highest Func.\nconst NumFuncs = %d\n\n", len(t.funcs)+1)
	b.WriteString("var funcNames = [NumFuncs]string{\n\"\",\n")
	for _, name := range t.funcs {
		fmt.Fprintf(b, "%q,\n", name)
	}
	b.WriteString("}\n")
}

func writeTranslation(b *bytes.Buffer, rules []rule, arch string) {
	field := map[string]string{"access": "Access", "bits": "Bits", "equal": "Equal"}
	b.WriteString("Translation{")
	for _, kind := range []string{"access", "bits", "equal"} {
		var pairs []string
		for _, r := range rules {
			if r.kind == kind && (r.arch == "" || r.arch == arch) {
				pairs = append(pairs, fmt.Sprintf("{%s, %s}", r.native, r.ppm))
			}
		}
		if pairs != nil {
			fmt.Fprintf(b, "%s: []Pair{%s}, ", field[kind], strings.Join(pairs, ", "))
		}
	}
	for _, r := range rules {
		switch r.kind {
		case "else":
			fmt.Fprintf(b, "Else: %s, Numbered: true, ", r.ppm)
		case "keep":
			b.WriteString("NonNeg: true, ")
		}
	}
	b.WriteString("},\n")
}

var levelConst = map[string]string{"exec": "LevelExec", "security": "LevelSecurity", "io": "LevelIO", "all": "LevelAll"}

func writeCalls(b *bytes.Buffer, t *tables) {
	b.WriteString("// Calls is the table of system calls.\nvar Calls = [...]Call{\n")
	var index [4][]int
	for i, c := range t.calls {
		nr := [4]int{-1, -1, -1, -1}
		for a, s := range c.nr {
			n, err := strconv.Atoi(s)
			if err != nil {
				continue
			}
			nr[a] = n
			for len(index[a]) <= n {
				index[a] = append(index[a], -1)
			}
			index[a][n] = i
		}
		fmt.Fprintf(b, "{Name: %q, Nr: [NumArch]int16{%d, %d, %d, %d}, SC: %d, Level: %s", c.name, nr[0], nr[1], nr[2], nr[3], c.sc, levelConst[c.level])
		if c.classes != nil {
			var names []string
			for _, x := range c.classes {
				names = append(names, "Class"+camel(x))
			}
			fmt.Fprintf(b, ", Class: %s", strings.Join(names, "|"))
		}
		if c.enter != nil {
			b.WriteString(", Enter: []uint16{")
			for _, e := range c.enter {
				fmt.Fprintf(b, "%d,", e)
			}
			b.WriteString("}")
		}
		b.WriteString("},\n")
	}
	b.WriteString("}\n\nvar callIndex = [NumArch][]int16{\n")
	for _, list := range index {
		b.WriteString("{")
		for _, n := range list {
			fmt.Fprintf(b, "%d,", n)
		}
		b.WriteString("},\n")
	}
	b.WriteString("}\n\n// SCNames are the names of Falco's system-call numbers.\nvar SCNames = [...]string{\n")
	for _, s := range t.scs {
		fmt.Fprintf(b, "%d: %q,\n", s.code, s.name)
	}
	b.WriteString("}\n\n// scCount returns how many system-call numbers a reader with that ceiling knows.\nfunc scCount(ceiling int) int {\nswitch {\n")
	for i, v := range t.versions {
		if i+1 < len(t.versions) && t.versions[i+1].events == v.events {
			continue // the last of those that know as many events says the most; the first is the safe one
		}
		n := 0
		first := i
		for first > 0 && t.versions[first-1].events == v.events {
			first--
		}
		for _, s := range t.scs {
			if s.since <= first {
				n = max(n, s.code+1)
			}
		}
		fmt.Fprintf(b, "case ceiling <= %d:\nreturn %d\n", v.events, n)
	}
	b.WriteString("}\nreturn len(SCNames)\n}\n")
}

package filter

import (
	"bytes"
	"math"
	"net/netip"
	"regexp"
)

// check is a compiled comparison.
type check struct {
	left        *operand
	op          Op
	how         Modifier
	typ         Type
	several     Several
	firstInList bool

	right  *operand // or
	consts []constant

	set               map[string]struct{} // of in, for strings
	shortest, longest int                 // of them
}

// constant is a value on the right side of a check, with what its operator
// makes of it.
type constant struct {
	Value
	net     netip.Prefix
	pattern []byte // of glob, and folded for icontains and iglob
	regex   *regexp.Regexp
	path    path
}

// finish prepares what needs all constants.
func (k *check) finish() {
	if k.op == In && k.firstInList && len(k.consts) > 1 {
		k.consts = k.consts[:1]
	}
	if k.typ != String && k.typ != Bytes || k.op != In && k.op != Intersects {
		return
	}
	k.set, k.shortest = make(map[string]struct{}, len(k.consts)), math.MaxInt
	for _, c := range k.consts {
		k.set[string(c.Text)] = struct{}{}
		k.shortest, k.longest = min(k.shortest, len(c.Text)), max(k.longest, len(c.Text))
	}
}

func (k *check) match(src Source) bool {
	if !k.left.eval(src) {
		return false
	}
	if k.op == Exists {
		return true
	}
	if k.right != nil && !k.right.eval(src) {
		return false
	}
	values := k.left.values.list
	switch {
	case k.several == List && k.op == In:
		return k.all(values) && (len(k.consts) > 0 || k.right != nil)
	case k.several == Sides && k.op == NE && k.how == NoModifier:
		return len(values) > 0 && k.all(values)
	}
	for i := range values {
		if k.value(&values[i]) {
			return true
		}
	}
	return false
}

func (k *check) all(values []Value) bool {
	for i := range values {
		if !k.value(&values[i]) {
			return false
		}
	}
	return true
}

// value compares one value of the left side with all on the right.
func (k *check) value(v *Value) bool {
	if k.right != nil {
		return k.withRight(v)
	}
	switch {
	case k.set != nil:
		return k.inSet(v.Text)
	case k.op == In || k.op == Intersects || k.op == PMatch || k.how == AnyOf:
		return k.count(v) > 0
	case k.how == AllOf:
		return len(k.consts) > 0 && k.count(v) == len(k.consts)
	case k.how == OneOf:
		return k.count(v) == 1
	}
	return k.one(v, &k.consts[0])
}

// withRight compares a value with those of the field on the right side, which is
// a list for operators of lists.
func (k *check) withRight(v *Value) bool {
	var c constant
	for i := range k.right.values.list {
		c.Value = k.right.values.list[i]
		c.pattern = c.Text
		if k.one(v, &c) {
			return true
		}
	}
	return false
}

func (k *check) inSet(s []byte) bool {
	if len(s) < k.shortest || len(s) > k.longest {
		return false
	}
	_, ok := k.set[string(s)]
	return ok
}

// count is how many constants fit. Whoever asks whether one does gets no more
// than that.
func (k *check) count(v *Value) int {
	n := 0
	for i := range k.consts {
		if !k.one(v, &k.consts[i]) {
			continue
		}
		n++
		if k.how != AllOf && k.how != OneOf {
			break
		}
	}
	return n
}

// one compares a value with one constant.
func (k *check) one(v *Value, c *constant) bool {
	switch k.typ {
	case String, Bytes:
		return k.texts(v.Text, c)
	case Addr:
		return (v.Addr == c.Addr) == (k.op != NE)
	case Net:
		return c.net.Contains(v.Addr) == (k.op != NE)
	}
	return k.numbers(v.Num, c.Num)
}

func (k *check) numbers(a, b uint64) bool {
	less := a < b
	switch k.typ {
	case Int:
		less = int64(a) < int64(b)
	case Float:
		less = math.Float64frombits(a) < math.Float64frombits(b)
	}
	return k.ordered(less, a == b)
}

func (k *check) ordered(less, equal bool) bool {
	switch k.op {
	case NE:
		return !equal
	case LT:
		return less
	case LE:
		return less || equal
	case GT:
		return !less && !equal
	case GE:
		return !less
	}
	return equal // and in, intersects
}

func (k *check) texts(s []byte, c *constant) bool {
	switch k.op {
	case Contains, BContains:
		return bytes.Contains(s, c.Text)
	case StartsWith, BStartsWith:
		return bytes.HasPrefix(s, c.Text)
	case EndsWith:
		return bytes.HasSuffix(s, c.Text)
	case IContains:
		return containsFold(s, c.pattern)
	case Glob:
		return glob(c.pattern, s, false)
	case IGlob:
		return glob(c.pattern, s, true)
	case Regex:
		return c.regex.Match(s)
	case PMatch:
		return c.path.prefixOf(s)
	}
	if k.op == EQ || k.op == NE {
		return bytes.Equal(s, c.Text) == (k.op == EQ)
	}
	order := bytes.Compare(s, c.Text)
	return k.ordered(order < 0, order == 0)
}

// containsFold is bytes.Contains for letters of ASCII of either case.
func containsFold(s, part []byte) bool {
	for i := 0; i+len(part) <= len(s); i++ {
		if equalFold(s[i:i+len(part)], part) {
			return true
		}
	}
	return false
}

func equalFold(a, b []byte) bool {
	for i := range a {
		if foldLower(a[i]) != foldLower(b[i]) {
			return false
		}
	}
	return true
}

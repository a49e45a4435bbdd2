package top

import (
	"cmp"
	"maps"
	"slices"
)

// key is what is counted: a text, and a number where that tells two of one name apart.
type key struct {
	id   int64
	text string
}

// count is what was counted of it.
type count struct {
	key
	calls, errors uint64
	ns            uint64 // in calls
	in, out       uint64 // bytes read and written
}

func (c *count) add(o *count) {
	c.calls += o.calls
	c.errors += o.errors
	c.ns += o.ns
	c.in += o.in
	c.out += o.out
}

// order puts the more important first.
type order func(a, b *count) int

func byCalls(a, b *count) int {
	return cmp.Or(cmp.Compare(b.calls, a.calls), cmp.Compare(b.ns, a.ns), cmp.Compare(a.text, b.text), cmp.Compare(a.id, b.id))
}

func byBytes(a, b *count) int {
	return cmp.Or(cmp.Compare(b.in+b.out, a.in+a.out), byCalls(a, b))
}

func byWritten(a, b *count) int { return cmp.Or(cmp.Compare(b.out, a.out), byCalls(a, b)) }

// maxCounts is how many a ranking keeps: of more the less important half goes.
const maxCounts = 4096

// ranking holds counts.
type ranking struct {
	counts    map[key]*count
	order     order
	forgotten uint64
}

func newRanking(o order) ranking { return ranking{counts: map[key]*count{}, order: o} }

// at is the count of k, valid until the next one is asked for.
func (r *ranking) at(k key) *count {
	if c := r.counts[k]; c != nil {
		return c
	}
	if len(r.counts) >= maxCounts {
		for _, c := range r.sorted(r.order)[maxCounts/2:] {
			delete(r.counts, c.key)
			r.forgotten++
		}
	}
	c := &count{key: k}
	r.counts[k] = c
	return c
}

// named is at for a text that is borrowed.
func (r *ranking) named(text []byte) *count {
	if c := r.counts[key{text: string(text)}]; c != nil {
		return c
	}
	return r.at(key{text: string(text)})
}

func (r *ranking) sorted(o order) []*count {
	return slices.SortedFunc(maps.Values(r.counts), o)
}

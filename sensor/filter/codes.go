package filter

// MaxCodes bounds the codes of events.
const MaxCodes = 512

// Codes is a set of event codes.
type Codes [MaxCodes / 64]uint64

// Add adds a code below [MaxCodes].
func (c *Codes) Add(code uint16) { c[code/64%uint16(len(c))] |= 1 << (code % 64) }

// Has reports whether a code is in the set.
func (c *Codes) Has(code uint16) bool {
	return int(code/64) < len(c) && c[code/64]>>(code%64)&1 != 0
}

func (c *Codes) fill() {
	for i := range c {
		c[i] = ^uint64(0)
	}
}

// codes returns the codes of the events that can fulfil the condition, or, if
// not, its negation. The event alone decides few checks; all others let every
// event through, negated or not. On the way it notes the names of events that the
// condition looks for.
func (c *compiler) codes(n *Node, not bool) Codes {
	var set Codes
	switch n.Kind {
	case Not:
		return c.codes(n.Kids[0], !not)
	case And, Or:
		union := n.Kind == Or != not
		if !union {
			set.fill()
		}
		for _, kid := range n.Kids {
			for i, w := range c.codes(kid, not) {
				if union {
					set[i] |= w
				} else {
					set[i] &= w
				}
			}
		}
		return set
	}
	field, err := c.fieldOf(n.Left)
	decided := err == nil && field.Codes != nil && n.Right == nil && n.How == NoModifier &&
		(n.Op == EQ || n.Op == NE || n.Op == In)
	if !decided {
		set.fill()
		return set
	}
	for _, s := range n.Consts {
		field.Codes(s, &set)
	}
	if n.Op == NE == not {
		c.names = append(c.names, n.Consts...)
	}
	if n.Op == NE != not {
		for i := range set {
			set[i] = ^set[i]
		}
	}
	return set
}

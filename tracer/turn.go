package tracer

// turn is how long one thread has been the only one that stops. A child takes its
// parent's turn, as long as the parent does not stop before the child has ended:
// that is how a shell runs one program after the other.
type turn struct {
	hot    int // thread of the last stops
	heir   int // thread that takes the turn of hot, if it is the next to stop
	streak int // how many stops there were in this turn
	rest   int // how many more there have to be
}

// longTurn is how many stops make a turn long.
const longTurn = 16

// stop notes a stop of thread tid and reports whether its turn is long.
func (t *turn) stop(tid int) bool {
	switch tid {
	case t.hot:
		t.rest--
	case t.heir:
		t.hot, t.heir, t.rest = tid, 0, 0
	default:
		*t = turn{hot: tid}
	}
	t.streak++
	return t.streak >= longTurn && t.rest <= 0
}

// born notes that thread parent has made the process of thread tid, and reports
// whether that takes a long turn.
func (t *turn) born(tid, parent int) bool {
	if parent != t.hot {
		return false
	}
	t.heir = tid
	return t.streak >= longTurn
}

// died notes the end of thread tid of a process that thread parent has made.
func (t *turn) died(tid, parent int) {
	if tid == t.hot || tid == t.heir {
		t.heir = parent
	}
}

// pause makes a turn of thread tid short again, but not its heir's.
func (t *turn) pause(tid int) {
	if tid == t.hot {
		t.rest = longTurn
	}
}

// restart makes the turn a short one.
func (t *turn) restart() { t.streak = 0 }

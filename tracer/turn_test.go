package tracer

import "testing"

// stops has thread tid stop n times, and wants the last to be, and those before not
// to be, in a long turn.
func stops(t *testing.T, turn *turn, tid, n int) {
	t.Helper()
	for i := 1; i <= n; i++ {
		if long := turn.stop(tid); long != (i == n) {
			t.Fatalf("stop %d of thread %d: long is %v", i, tid, long)
		}
	}
}

func TestTurnOfOne(t *testing.T) {
	var turn turn
	stops(t, &turn, 1, longTurn)
	if !turn.stop(1) {
		t.Error("a long turn does not go on")
	}
	turn.pause(2)
	if !turn.stop(1) {
		t.Error("a pause of another thread ends it")
	}
	turn.pause(1)
	stops(t, &turn, 1, longTurn)
	turn.restart()
	stops(t, &turn, 1, longTurn)
	stops(t, &turn, 2, longTurn) // another thread's begins anew
	stops(t, &turn, 1, longTurn)
}

// TestTurnOfChildren runs one child after the other, none of which stops often.
func TestTurnOfChildren(t *testing.T) {
	const parent = 1
	var turn turn
	n := 0
	for child := 100; n < 3*longTurn; child++ {
		n++
		if long := turn.stop(parent); long != (n >= longTurn) {
			t.Fatalf("stop %d, of the parent: long is %v", n, long)
		}
		if long := turn.born(child, parent); long != (n >= longTurn) {
			t.Fatalf("birth after stop %d: long is %v", n, long)
		}
		for range 2 {
			n++
			if long := turn.stop(child); long != (n >= longTurn) {
				t.Fatalf("stop %d, of a child: long is %v", n, long)
			}
		}
		turn.died(child, parent)
	}
	// A child that has not stopped hands the turn back too.
	turn.stop(parent)
	turn.born(90, parent)
	turn.died(90, parent)
	if !turn.stop(parent) {
		t.Error("the turn is lost with a child that never stopped")
	}
	// A parent that runs beside its child has no part in its turn, nor has a stranger.
	turn.born(91, parent)
	turn.stop(91)
	stops(t, &turn, parent, longTurn)
	turn.born(92, parent)
	stops(t, &turn, 93, longTurn)
	if turn.born(94, parent) {
		t.Error("a child of a thread without a turn takes one")
	}
}

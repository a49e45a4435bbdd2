package shm

import (
	"time"

	"golang.org/x/sys/unix"
)

// Producers of this package take turns: the word that udig's programs leave
// alone holds the pid of the owner, and in its upper half the lower half of the
// owner's start time, which tells it from a later process with that pid. A
// producer holds it for one copy, unless it dies or is stopped meanwhile.
const (
	lockSpins = 100
	lockPause = 50 * time.Microsecond
	lockWait  = 200 * time.Millisecond // for an owner that is alive
	// Looks whether it is are far apart, because a pid of another pid namespace
	// looks dead: an owner that only waits for a processor should be back.
	lockLook = 50 * time.Millisecond
)

// acquire takes the lock. It returns false if somebody holds it for too long,
// and does not wait for the same owner again before it has died.
func (p *Producer) acquire() bool {
	for range lockSpins {
		if p.lock.CompareAndSwap(0, p.me) {
			return true
		}
	}
	begin := time.Now()
	nextLook := lockLook
	for {
		owner := p.lock.Load()
		waited := time.Since(begin)
		switch {
		case owner == 0:
			if p.lock.CompareAndSwap(0, p.me) {
				return true
			}
		case owner == p.stuck:
			return false
		case waited >= lockWait:
			p.stuck = owner
			p.cfg.Log.Warn().Str("ring", p.name).Uint32("pid", uint32(owner)).Msg("another producer holds the ring")
			return false
		case waited >= nextLook:
			nextLook += lockLook
			if dead(owner) && p.lock.CompareAndSwap(owner, p.me) {
				p.cfg.Log.Info().Str("ring", p.name).Uint32("pid", uint32(owner)).Msg("ring taken from a dead producer")
				return true
			}
		}
		// Not time.Sleep, which takes a millisecond.
		_ = unix.Nanosleep(&unix.Timespec{Nsec: int64(lockPause)}, nil)
	}
}

// freed forgets an owner that was waited for in vain, when it has died or given
// the lock back.
func (p *Producer) freed() {
	if p.stuck != 0 && (p.lock.Load() != p.stuck || dead(p.stuck)) {
		p.stuck = 0
	}
}

// dead reports whether the owner of the lock has ended, so that it writes no
// more.
func dead(owner uint64) bool {
	start, l := look(int32(uint32(owner)))
	return l == gone || l == living && owner>>32 != 0 && uint32(start) != uint32(owner>>32)
}

// unlock gives the lock back, unless it was taken away.
func (p *Producer) unlock() { p.lock.CompareAndSwap(p.me, 0) }

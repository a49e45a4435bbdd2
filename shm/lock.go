package shm

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Producers of this package take turns: the word that udig's programs leave
// alone holds the pid of the owner, and in its upper half something that tells
// it from a later process with that pid, and from the one of another pid
// namespace that was started at the same time: see [lockWord]. A producer holds
// it for one copy, unless it dies or is stopped meanwhile.
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
		case waited >= nextLook:
			nextLook += lockLook
			switch {
			case dead(owner):
				if p.lock.CompareAndSwap(owner, p.me) {
					p.cfg.Log.Info().Str("ring", p.name).Uint32("pid", uint32(owner)).Msg("ring taken from a dead producer")
					return true
				}
			case waited >= lockWait:
				p.stuck = owner
				p.cfg.Log.Warn().Str("ring", p.name).Uint32("pid", uint32(owner)).Msg("another producer holds the ring")
				return false
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
	pid := int32(uint32(owner))
	start, l := look(pid)
	return l == gone || l == living && owner>>32 != 0 && lockWord(pid, start) != owner
}

// lockWord is what the lock holds while it is that of a process of this pid
// namespace. Its upper half is 0 if the start time is not known.
func lockWord(pid int32, start uint64) uint64 {
	word := uint64(uint32(pid))
	if start != 0 {
		word |= uint64(uint32(start)^pidNamespace()) << 32
	}
	return word
}

// pidNamespace is a number of the pid namespace, 0 if there is none to be seen.
var pidNamespace = sync.OnceValue(func() uint32 {
	var st unix.Stat_t
	if unix.Stat("/proc/self/ns/pid", &st) != nil {
		return 0
	}
	return uint32(st.Ino)
})

// unlock gives the lock back, unless it was taken away.
func (p *Producer) unlock() { p.lock.CompareAndSwap(p.me, 0) }

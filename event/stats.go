package event

import "strconv"

// Cause is why a record did not reach the reader.
type Cause uint8

// Causes of loss. The first eight are also the numbers of the counters in the
// extension of the ring's descriptor page (package shm): they are never
// renumbered. A batch of bytes in which no record can be found is one corrupt
// record; where the producer counts what it tries, the others of that batch
// are found vanished.
const (
	CauseRingFull Cause = iota // no room in the ring
	CauseEncode                // the record could not be made
	CauseLock                  // another producer held the ring for too long
	CauseRing                  // the ring's cursors made no sense, or the ring is gone
	CauseReader                // held back for a reader that went away
	CauseCorrupt               // bytes in the ring that are no record
	CauseUnknown               // a type that the reader does not know
	CauseTooLarge              // larger than a record or the ring may be
	CauseCounter               // a producer's counter went back: at least one
	CauseUnread                // still in the ring when the reader closed it
	CauseVanished              // tried by a producer, and neither arrived nor counted
	CauseMemory                // memory of the thread that the kernel could not read
	CauseNested                // an event while the CPU was writing another one
	NumCauses
)

var causeNames = [NumCauses]string{
	"ring full", "not encodable", "ring locked", "ring damaged", "reader gone", "corrupt", "unknown type",
	"too large", "counter went back", "unread at the end", "vanished",
	"memory not readable", "nested event",
}

// String returns a few words for people.
func (c Cause) String() string {
	if c < NumCauses {
		return causeNames[c]
	}
	return "cause " + strconv.Itoa(int(c))
}

// Class is what a record is about, as far as a source counts its losses by that.
type Class uint8

// Classes of records.
const (
	ClassOther Class = iota
	ClassLife        // of processes and threads: clones, execs, ends
	ClassFile
	ClassNetwork
	ClassProcess
	ClassMemory
	ClassDescriptor
	ClassIPC
	NumClasses
)

var classNames = [NumClasses]string{"other", "life", "file", "network", "process", "memory", "descriptor", "ipc"}

// String returns a word for people.
func (c Class) String() string { return classNames[c%NumClasses] }

// Stats is what became of the records of a source, from its beginning on:
// Seen is Delivered plus all that is lost plus what is still under way.
type Stats struct {
	Seen      uint64            // records that a producer has tried to send
	Delivered uint64            // records that were handed out
	Lost      [NumCauses]uint64 // by cause

	Full [NumClasses]uint64 // of those that found a full ring, where the source knows: by class

	Mismatches uint64 // of those that were handed out, see [Truth]
}

// LostTotal is the number of lost records.
func (s *Stats) LostTotal() uint64 {
	var n uint64
	for _, x := range s.Lost {
		n += x
	}
	return n
}

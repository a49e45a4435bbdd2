// Package shm is the ring in shared memory through which a tracer hands its
// records to a reader: Falco's udig ring, as sysdig -u and Falco read and write
// it, and an extension that only our own reader and writer know.
//
// A ring is two objects. One holds the bytes of the records, end to start and
// without alignment; the other is the descriptor page with the cursors, the
// counters and the reader's settings. All integers are in host byte order,
// positions and sizes are bytes.
//
// The other side of either object is another process and not trusted. Every
// number read from it is checked. The reader copies bytes out of the ring
// before it looks at them, so that a record does not change while it is parsed.
// A file that is cut under the mapping ends the use of the ring, not the
// process: an access behind its end is a SIGBUS, which debug.SetPanicOnFault
// makes a panic that is recovered. Looking at the file's size first would not
// do, because the cut can come in between.
//
// Whose ring is used: one that belongs to this user or to root. Whoever owns a
// ring sees all that is written into it and can invent what is read from it, and
// anybody may create a ring in /dev/shm and wait for others to come. A ring of
// another user is therefore used only if [Config.Mode] lets others write: that
// says that the ring is meant to be shared. So a ring that "sysdig -u" has made
// as root, or as this user, works as it is; one that it has made as somebody
// else works with mode 0666.
//
// A [Producer] may run beside others in the same ring, in other processes. A
// ring has one [Consumer] at a time. Each of the two is used from one
// goroutine; what may be called from others says so.
package shm

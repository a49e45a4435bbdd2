// Package shm is the ring in shared memory through which a tracer hands its
// records to a reader: Falco's udig ring, as sysdig -u and Falco read and write
// it, and an extension that only our own reader and writer know.
//
// A ring is two objects. One holds the bytes of the records, end to start and
// without alignment; the other is the descriptor page with the cursors, the
// counters and the reader's settings. All integers are in host byte order. The
// other side of either object is another process and not trusted: every number
// read from it is checked, and the files may be cut under the mapping.
//
// A [Producer] may run beside others in the same ring, in other processes. A
// ring has one [Consumer] at a time. Each of the two is used from one
// goroutine.
package shm

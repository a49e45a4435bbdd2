// Package beside has a sensor run beside a tracer: a process of its own, over a
// ring that nobody else has, which lives as long as the tracer has something to
// record, and is started again when it dies.
//
// [Sensor] is the end of the tracer, [Peer] that of the sensor. Between them is a
// socket. Bytes on it are words: the sensor says that it reads, the tracer asks
// whether all is out that is in the ring, the sensor says so. When the tracer
// sends no more, the sensor shows what is left and ends. Each end is the same
// program of the same user, but for the tracer the other one may be dead or slow at
// any time: it waits for no answer without a limit.
package beside

// Words of the protocol.
const (
	wordReads = 'r' // sensor: the ring is read from now on
	wordFlush = 'f' // tracer: is all out? sensor: it is
)

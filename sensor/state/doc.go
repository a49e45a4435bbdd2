// Package state keeps what has to be known of threads and their descriptors so
// that events can be shown and judged: names instead of numbers.
//
// It follows what libsinsp, the library of sysdig and Falco, makes of the same
// events, because users' rules depend on it. Whatever events do not tell of a
// thread is looked up once in /proc; what stays unknown is shown as <NA>.
//
// Events are not trusted: all tables are bounded, and what did not fit is
// counted. Times are nanoseconds since the Unix epoch. A [Table] is used from one
// goroutine; the changes of an event that is no news, such as a read, allocate
// nothing.
package state

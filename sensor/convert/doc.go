// Package convert makes of the two events of a system call one, as today's Falco
// has it: the exit, with the parameters of the enter behind its own, of the
// newest code that there is for the call.
//
// What goes where stands in the tables of package syscalls. Records are as in
// package event: borrowed, in host byte order and not to be trusted. What is
// kept of them is bounded, and what had to be forgotten is counted. A
// [Converter] belongs to one goroutine; in the steady state it allocates nothing.
package convert

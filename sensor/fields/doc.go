// Package fields names what is known of an event: proc.name, fd.name,
// evt.arg.flags and so on, as sysdig and Falco do. It gives the fields to
// conditions and writes them in formats.
//
// What there is stands in tables, one line a field; a [Set] binds the fields
// that are asked for once, and brings their values without allocating. Values
// come from the event, which is not trusted, and from the state after it. A Set
// and what was compiled with it belong to one goroutine at a time.
package fields

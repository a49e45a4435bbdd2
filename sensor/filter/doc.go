// Package filter is the condition language of sysdig and Falco: it parses a
// condition, compiles it against a table of fields and evaluates it.
//
// The package knows no event. What fields there are it asks a [Schema], what
// they are on the event at hand a [Source]. The language is that of libsinsp
// 0.25, as measured: checks of fields, joined by and, or, not and parentheses.
// A field without a value makes its check false, whatever the operator.
//
// The text of a condition is not trusted: its size and depth are bounded and
// every [Error] says where it is. A [Program] evaluates without allocating; it
// has buffers of its own, so it belongs to one goroutine at a time.
package filter

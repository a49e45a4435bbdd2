// Package doctor finds out what of pdig works where it runs: whom it can trace,
// what it sees of them, and where its records can go.
//
// It tries everything instead of asking for versions: the same kernel, the same
// engine and the same user give other answers under another seccomp profile.
// What is tried leaves nothing behind: processes that it makes for it end with it,
// and objects of a ring get no name.
//
// [Examine] collects facts, [Judge] makes causes and remedies of them and looks at
// nothing else, and a [Report] is printed as text or JSON. The facts come from
// the kernel and from /proc of the own process, and are trusted.
package doctor

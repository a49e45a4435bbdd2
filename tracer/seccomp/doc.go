// Package seccomp assembles the filter that decides which system calls stop
// for the tracer.
//
// The filter reads the architecture and the number of a call and nothing else:
// the kernel then caches what is allowed and runs no program for it
// (kernel/seccomp.c since 5.11, seccomp_cache_prepare). Numbers are those of
// the architecture that made the call; words are in host byte order.
//
// Nothing is refused. A call of an architecture that no set names is traced:
// the tracer decides what it means.
package seccomp

// Package kmod reads what Falco's kernel module writes, as it is: the modules of
// Falco 0.33 and later (named falco) and those of Debian's packages (named scap),
// from API 1.0.0 on.
//
// The module has a device and a ring for each CPU. A ring is the one of package
// shm without a lock: records in host byte order, u32 head and tail, positions in
// bytes. The kernel is trusted no further than that a record that is none is
// counted and skipped. A consumer is the thread that has opened the devices
// (driver/main.c, ppm_open): all are opened by one thread, which lives until the
// end.
//
// A [Driver] is used from one goroutine, by [source.Merge].
package kmod

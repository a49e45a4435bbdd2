// Package modern reads the kernel by a probe of its own: a CO-RE eBPF program that is
// embedded in the binary, for Linux 5.8 and later with BTF.
//
// The probe knows no system call. A table says for each what to copy, at the entry
// and at the exit: strings, buffers, lists of them, what the kernel knows of
// a descriptor. It is made of the tables of package syscalls, by which package
// tracer makes records, and what was copied becomes records by the same code
// ([tracer.Recorder]). Copies go through rings, one for each CPU or for several.
//
// A [Probe] is used from one goroutine. Nothing of it is pinned: it is gone with the
// process.
package modern

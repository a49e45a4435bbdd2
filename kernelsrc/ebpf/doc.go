// Package ebpf reads what Falco's classic eBPF probe writes, as it is: an object
// that was built for one release of the kernel, of Falco or of Debian's packages.
//
// The object brings maps and programs only. A loader creates the maps, puts the
// descriptors of the maps into the programs, and fills in the tables by which
// these work: which events a system call has, which program fills which event,
// and the types of its parameters. The tables depend on the version of the object;
// those that are known are in the directory tables. What is read is a perf ring
// for each CPU.
//
// A [Driver] is used from one goroutine, by [source.Merge].
package ebpf

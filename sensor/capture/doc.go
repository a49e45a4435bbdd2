// Package capture reads and writes capture files, .scap: the events of a run and,
// before them, the processes, descriptors and users that they begin with.
//
// A file is a sequence of blocks, framed as in pcapng: type u32, total length u32,
// payload, zeros up to a multiple of four, total length again; all in the byte
// order of the machine that wrote it, the whole perhaps packed by gzip. Times are
// nanoseconds since the Unix epoch.
//
// Files are not trusted: every length is checked before it is used, and what is
// kept of a file does not grow with it. An error names the offset of the block,
// in a packed file that of the unpacked bytes; all that came before it has been
// handed out. Readers and writers belong to one goroutine.
package capture

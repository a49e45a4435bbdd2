// Package sys holds the raw system calls that golang.org/x/sys lacks, and the
// pointer arithmetic that they need.
//
// All values are in host byte order and in the kernel's own units.
package sys

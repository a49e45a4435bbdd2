// Package driver finds, builds, loads and unloads Falco's kernel module and its
// classic probe, as falco-driver-loader does, but without questions and without
// downloads.
//
// Every step is told, with why it failed. Files are those of root and of the user
// who runs it: a module is given to the kernel, which decides whether it is one.
package driver

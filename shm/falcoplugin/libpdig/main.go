// Command libpdig is package falcoplugin as Falco loads it: a shared library with
// the functions of a plugin, API 3.0.0 and later. "make plugin" builds it; built
// without a C compiler it does nothing.
//
// It is the one place with cgo. Handles that the host holds are numbers, not
// addresses, so that one that is used after its end is an error and not a crash.
package main

func main() {}

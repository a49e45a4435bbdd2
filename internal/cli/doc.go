// Package cli is what the command lines of pdig and sensor have in common: the
// text of --help, the wording of errors, and where a program's own words go.
package cli

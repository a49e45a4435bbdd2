// Package integration tests the built commands as their users run them: on
// real processes, real rings, with the programs of others at the other end.
// Its tests need the commands that make leaves in bin.
package integration

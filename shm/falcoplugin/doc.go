// Package falcoplugin makes of our ring a source of system calls for a Falco that
// does not read it any more: what is behind the functions of a plugin, see
// libpdig for those.
//
// Records are as in package event. Whoever writes a ring is not trusted, and the
// host is not prepared for what no kernel would send: it ends at a parameter of a
// wrong length, and looks events up that its tables do not have. So only whole
// records of system calls go on, of the codes and with the parameters that the
// host knows; others are counted.
//
// The host gets the addresses of records in memory that is not Go's. They stay as
// they are until it asks for the next ones or closes. A [Plugin] and its
// instances may be used from several threads.
package falcoplugin

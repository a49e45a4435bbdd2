// Package verify tells of an image, before anybody runs it, whether the tracer will
// run in it: what its configuration starts, and whether the layers have it.
//
// The image is untrusted; package archive bounds what it may cost, and no word of it does
// anything to a terminal when it is shown.
package verify

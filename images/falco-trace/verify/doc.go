// Package verify tells of an image, before anybody runs it, whether the tracer will
// run in it: what its configuration starts, and whether the layers have it.
//
// The image is untrusted; package archive bounds what it may cost, and all words of it
// are quoted when they are shown.
package verify

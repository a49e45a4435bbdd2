// Package archive reads and writes images of containers that are kept in one file:
// what docker save, podman save, skopeo and BuildKit leave, in docker's format and in
// OCI's, plain or compressed, with images for one platform or for several.
//
// An archive that is read is untrusted. Nothing of it is unpacked, every number is
// compared before it is used, and what is kept in memory has the bounds of [Limits].
package archive

package doctor

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/shm"
)

// ring is where records go.
func (f *Facts) ring() Check {
	const name = "ring"
	r := &f.Ring
	if f.RingErr == nil {
		if r.Exists {
			return ok(name, fmt.Sprintf("%s is there: %d bytes, of user %d, mode %#o", r.Name, r.Size, r.Owner, r.Mode))
		}
		return ok(name, fmt.Sprintf("%s can be created, %d bytes of %d are free in %s", r.Name, r.Free, r.Total, r.Directory))
	}
	c := check(name, Missing, "there is no place for records")
	remedy := "name another place with --ring PATH"
	var object *shm.ObjectError
	if errors.As(f.RingErr, &object) {
		c.Evidence, remedy = append(c.Evidence, object.Path+": "+object.Problem), object.Remedy
	} else {
		c.Evidence = append(c.Evidence, f.RingErr.Error())
	}
	space := fmt.Sprintf("%d bytes are needed, %d of %d are free", r.Need, r.Free, r.Total)
	switch err := f.RingErr; {
	case errors.Is(err, unix.EMFILE):
		return c.because("limits").but("see limits")
	case errors.Is(err, shm.ErrObject):
		return c.because("ring-unusable").but(remedy)
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return c.because("shm-missing").but(remedy, largerShm()...)
	case errors.Is(err, unix.ENOSPC) && r.Total < r.Need:
		return c.because("shm-too-small", space).but(remedy, largerShm()...)
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT), errors.Is(err, unix.ENOMEM):
		return c.because("shm-full", space).but("remove what is no longer used there, or "+remedy, largerShm()...)
	case errors.Is(err, unix.EROFS):
		return c.because("shm-read-only", r.Directory+" is read-only").
			but("mount a tmpfs at "+r.Directory+", or "+remedy, lines("--tmpfs /dev/shm:rw,size=64m", largerShm()[1].Add, "")...)
	case strings.Contains(err.Error(), "permission denied"):
		return c.because("ring-of-other-user").but(remedy)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return c.because("shm-not-writable", fmt.Sprintf("user %d", f.UID)).but(remedy)
	}
	return c.because("ring-unusable").but(remedy)
}

// reader is who reads them.
func (f *Facts) reader() Check {
	const name = "reader"
	switch r := &f.Ring; {
	case f.RingErr != nil:
		return check(name, Reduced, "there is no ring to read").because("ring", "see ring").but("see ring")
	case r.Reader == 0:
		return ok(name, "nobody reads the ring yet: pdig records nothing until somebody does (sensor -u)")
	case r.Unseen:
		return check(name, Reduced, "nobody reads the ring, unless in another pid namespace: a ring without a reader fills, and nothing more is recorded").
			because("reader-dead", fmt.Sprintf("there is no process %d, which began to read and never said that it ended", r.Reader)).
			but("start sensor -u again: it takes the ring over")
	}
	return ok(name, fmt.Sprintf("process %d reads the ring", f.Ring.Reader))
}

// limits are those that a tracer cannot raise.
func (f *Facts) limits() Check {
	const name = "limits"
	for _, l := range f.Limits {
		if l.Have >= l.Need {
			continue
		}
		c := check(name, Missing, fmt.Sprintf("%s is too small for pdig", l.Name)).
			because("limit-"+strings.ToLower(strings.TrimPrefix(l.Name, "RLIMIT_")), fmt.Sprintf("%s leaves %d, %d are needed", l.Name, l.Have, l.Need))
		switch l.Name {
		case limitFiles:
			return c.but("a hard limit of 1024 descriptors (ulimit -Hn)",
				lines("--ulimit nofile=1024", "", `"ulimits": [{"name": "nofile", "softLimit": 1024, "hardLimit": 1024}]`)...)
		case limitAddresses:
			return c.but("no hard limit of the address space (ulimit -Hv)", lines("--ulimit as=-1", "", `"ulimits": [{"name": "as", "softLimit": -1, "hardLimit": -1}]`)...)
		case limitData:
			return c.but("no hard limit of data (ulimit -Hd)", lines("--ulimit data=-1", "", `"ulimits": [{"name": "data", "softLimit": -1, "hardLimit": -1}]`)...)
		case limitPids:
			return c.but("more processes for the container", lines("--pids-limit 256", "podPidsLimit: 256 (of the kubelet)", "")...)
		}
		return c.but("more memory for the container: the ring and pdig take 24 MB of it",
			lines("--memory 256m", "resources: {limits: {memory: 256Mi}}", `"memory": 256`)...)
	}
	return ok(name, "no limit is too small for pdig")
}

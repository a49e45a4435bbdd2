package verify

import (
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/pdig/pdig/images/archive"
)

// user is who the container's first process belongs to.
type user struct {
	name   string // as the configuration has it
	uid    int
	groups []int
}

// Files that names of users and groups are looked up in.
const (
	passwdFile = "etc/passwd"
	groupFile  = "etc/group"
)

// findUser resolves USER: a name or a number, with or without a group.
func findUser(t *archive.Tree, name string) (user, error) {
	u := user{name: name}
	owner, group, hasGroup := strings.Cut(name, ":")
	entry := lookUp(t, passwdFile, owner)
	switch uid, err := strconv.ParseUint(owner, 10, 31); {
	case owner == "":
	case entry != nil:
		var err error
		if u.uid, err = strconv.Atoi(entry[2]); err != nil {
			return u, fmt.Errorf("/%s: %q is not the number of a user", passwdFile, entry[2])
		}
	case err == nil:
		u.uid = int(uid)
	default:
		return u, fmt.Errorf("USER %q is not in /%s of the image: the container does not start", owner, passwdFile)
	}
	gid := 0
	switch entryOf := lookUp(t, groupFile, group); {
	case !hasGroup && len(entry) > 3:
		gid, _ = strconv.Atoi(entry[3])
	case !hasGroup:
	case entryOf != nil:
		gid, _ = strconv.Atoi(entryOf[2])
	default:
		var err error
		if gid, err = strconv.Atoi(group); err != nil {
			return u, fmt.Errorf("the group %q of USER is not in /%s of the image: the container does not start", group, groupFile)
		}
	}
	u.groups = append(u.groups, gid)
	if !hasGroup && entry != nil {
		u.groups = append(u.groups, memberships(t, entry[0])...)
	}
	return u, nil
}

// records are the lines of /etc/passwd or /etc/group.
func records(t *archive.Tree, file string) [][]string {
	f, _, err := t.Find(file)
	if err != nil {
		return nil
	}
	var out [][]string
	for line := range strings.Lines(string(f.Head)) {
		if fields := strings.Split(strings.TrimSpace(line), ":"); len(fields) >= 3 {
			out = append(out, fields)
		}
	}
	return out
}

// lookUp finds the line with a name, or else with a number.
func lookUp(t *archive.Tree, file, key string) []string {
	all := records(t, file)
	for _, field := range []int{0, 2} {
		for _, fields := range all {
			if fields[field] == key && key != "" {
				return fields
			}
		}
	}
	return nil
}

func memberships(t *archive.Tree, name string) []int {
	var out []int
	for _, fields := range records(t, groupFile) {
		if len(fields) > 3 && slices.Contains(strings.Split(fields[3], ","), name) {
			if gid, err := strconv.Atoi(fields[2]); err == nil {
				out = append(out, gid)
			}
		}
	}
	return out
}

// mayExecute tells whether the user may execute a file, or search a directory. Root
// may, if anybody may.
func (u user) mayExecute(f archive.File) bool {
	mode := f.Mode.Perm()
	switch {
	case u.uid == 0:
		return mode&0o111 != 0 || f.Mode.IsDir()
	case f.UID == u.uid:
		return mode&0o100 != 0
	case slices.Contains(u.groups, f.GID):
		return mode&0o010 != 0
	}
	return mode&0o001 != 0
}

func (u user) String() string {
	if u.name == "" {
		return "root"
	}
	return strconv.Quote(u.name)
}

// everybody tells whether any user may execute a file.
func everybody(f archive.File, dirs []archive.File) bool {
	return !slices.ContainsFunc(append(dirs, f), func(f archive.File) bool { return f.Mode&fs.FileMode(0o001) == 0 })
}

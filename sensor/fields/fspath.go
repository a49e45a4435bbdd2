package fields

import (
	"github.com/pdig/pdig/sensor/filter"
	"github.com/pdig/pdig/syscalls"
)

// pathFields are the paths that a call which has succeeded works on.
var pathFields = []Field{
	{Name: "fs.path.name", Type: filter.String, Desc: "path of a call that has one", get: fsPath(onePath, false)},
	{Name: "fs.path.nameraw", Type: filter.String, Desc: "the same as the program has given it", get: fsPath(onePath, true)},
	{Name: "fs.path.source", Type: filter.String, Desc: "what is renamed or mounted; of a link its name", get: fsPath(sourcePath, false)},
	{Name: "fs.path.sourceraw", Type: filter.String, Desc: "the same as the program has given it", get: fsPath(sourcePath, true)},
	{Name: "fs.path.target", Type: filter.String, Desc: "its new name or place; what a link is of", get: fsPath(targetPath, false)},
	{Name: "fs.path.targetraw", Type: filter.String, Desc: "the same as the program has given it", get: fsPath(targetPath, true)},
}

type pathRole uint8

const (
	onePath pathRole = iota
	sourcePath
	targetPath
	numRoles
)

// pathNames are the parameters that are a path of the calls.
var pathNames = map[string][numRoles]string{
	"open": {"name"}, "openat": {"name"}, "openat2": {"name"}, "creat": {"name"}, "open_by_handle_at": {"path"},
	"mkdir": {"path"}, "mkdirat": {"path"}, "rmdir": {"path"}, "unlink": {"path"}, "unlinkat": {"name"},
	"chmod": {"filename"}, "fchmodat": {"filename"}, "chown": {"path"}, "lchown": {"path"}, "fchownat": {"pathname"},
	"chdir": {"path"}, "chroot": {"path"}, "quotactl": {"special"}, "umount": {"name"}, "umount2": {"name"},
	"mount":  {"", "dev", "dir"},
	"rename": {"", "oldpath", "newpath"}, "renameat": {"", "oldpath", "newpath"}, "renameat2": {"", "oldpath", "newpath"},
	"link": {"", "newpath", "oldpath"}, "linkat": {"", "newpath", "oldpath"},
	"symlink": {"", "linkpath", "target"}, "symlinkat": {"", "linkpath", "target"},
}

// pathParams say for each event which parameters are its paths, -1 where none
// is.
var pathParams = indexPaths()

func indexPaths() *[syscalls.NumEvents][numRoles]int8 {
	var table [syscalls.NumEvents][numRoles]int8
	for code := range syscalls.Events {
		info := &syscalls.Events[code]
		for role := range numRoles {
			table[code][role] = -1
			name := pathNames[info.Name][role]
			for i := range info.Params {
				if name != "" && info.Params[i].Name == name && !syscalls.IsEnter(uint16(code)) {
					table[code][role] = int8(i)
				}
			}
		}
	}
	return &table
}

func fsPath(role pathRole, raw bool) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		i := int(pathParams[e.View.Type()][role])
		res, ok := e.result()
		if i < 0 || !ok || res < 0 && !e.newest() {
			return false
		}
		if raw {
			s := e.View.Str(i)
			v.Borrow(s)
			return s != nil
		}
		if t := e.View.Info().Params[i].Type; t == syscalls.FSPath || t == syscalls.FSRelPath {
			return e.absPath(i, v)
		}
		return e.paramText(i, v)
	}
}

package fields

import "github.com/pdig/pdig/sensor/filter"

var userFields = []Field{
	{Name: "user.uid", Type: filter.Uint, Desc: "its number", get: userUID},
	{Name: "user.name", Type: filter.String, Desc: "its name, <NA> if it has none", get: userName},
	{Name: "user.homedir", Type: filter.String, Desc: "its home directory, <NA> if that is not known", get: userHome},
	{Name: "user.shell", Type: filter.String, Desc: "its login shell, <NA> if that is not known", get: userShell},
	{Name: "user.loginuid", Type: filter.Int, Desc: "number of the user who has logged in, -1 for nobody", get: userLoginUID},
	{Name: "user.loginname", Type: filter.String, Desc: "their name, <NA> if it has none", get: userLoginName},
}

var groupFields = []Field{
	{Name: "group.gid", Type: filter.Uint, Desc: "its number", get: groupGID},
	{Name: "group.name", Type: filter.String, Desc: "its name, <NA> if it has none", get: groupName},
}

// unknown is the text of what has no name.
const unknown = "<NA>"

// named is the name of a user or group. sysdig 0.29.3 has none for those that
// nobody has told of; of others the newest Falco has <NA> for a name, too.
func (e *Event) named(v *filter.Values, id uint32, name string) bool {
	if name == "" {
		name = unknown
	}
	v.Str(name)
	return e.newest() || id != ^uint32(0)
}

func userUID(e *Event, _ *argument, v *filter.Values) bool {
	v.Uint(uint64(e.State.Current().UID))
	return true
}

func userName(e *Event, _ *argument, v *filter.Values) bool {
	uid := e.State.Current().UID
	return e.named(v, uid, e.State.User(uid))
}

func userHome(e *Event, _ *argument, v *filter.Values) bool {
	dir, _ := e.State.Home(e.State.Current().UID)
	return e.named(v, e.State.Current().UID, dir)
}

func userShell(e *Event, _ *argument, v *filter.Values) bool {
	_, shell := e.State.Home(e.State.Current().UID)
	return e.named(v, e.State.Current().UID, shell)
}

func userLoginUID(e *Event, _ *argument, v *filter.Values) bool {
	v.Int(int64(int32(e.State.Current().LoginUID)))
	return true
}

func userLoginName(e *Event, _ *argument, v *filter.Values) bool {
	uid := e.State.Current().LoginUID
	return e.named(v, uid, e.State.User(uid))
}

func groupGID(e *Event, _ *argument, v *filter.Values) bool {
	v.Uint(uint64(e.State.Current().GID))
	return true
}

func groupName(e *Event, _ *argument, v *filter.Values) bool {
	gid := e.State.Current().GID
	return e.named(v, gid, e.State.Group(gid))
}

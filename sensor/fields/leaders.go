package fields

import (
	"github.com/pdig/pdig/sensor/filter"
	"github.com/pdig/pdig/sensor/state"
)

// groupingFields are session and process group, and who leads them.
var groupingFields = []Field{
	{Name: "proc.sid", Type: filter.Int, Desc: "session, -1 if not known", get: number(sid)},
	{Name: "proc.sname", Type: filter.String, Desc: "name of the process that leads the session", get: leader(sid, comm)},
	{Name: "proc.sid.exe", Type: filter.String, Desc: "its argv[0]", get: leader(sid, exe)},
	{Name: "proc.sid.exepath", Type: filter.String, Desc: "path of its program", get: leader(sid, exePath)},
	{Name: "proc.is_sid_leader", Type: filter.Bool, Desc: "the process leads its session", get: leads(sid, vpid)},
	{Name: "proc.vpgid", Type: filter.Int, Desc: "process group in the process's own pid namespace, -1 if not known", get: number(vpgid)},
	{Name: "proc.vpgid.name", Type: filter.String, Desc: "name of the process that leads it", get: leader(vpgid, comm)},
	{Name: "proc.vpgid.exe", Type: filter.String, Desc: "its argv[0]", get: leader(vpgid, exe)},
	{Name: "proc.vpgid.exepath", Type: filter.String, Desc: "path of its program", get: leader(vpgid, exePath)},
	{Name: "proc.is_vpgid_leader", Type: filter.Bool, Desc: "the process leads that group", get: leads(vpgid, vpid)},
	{Name: "proc.pgid", Type: filter.Int, Desc: "process group in the outermost pid namespace, -1 if not known", get: number(pgid)},
	{Name: "proc.pgid.name", Type: filter.String, Desc: "name of the process that leads it", get: leader(pgid, comm)},
	{Name: "proc.pgid.exe", Type: filter.String, Desc: "its argv[0]", get: leader(pgid, exe)},
	{Name: "proc.pgid.exepath", Type: filter.String, Desc: "path of its program", get: leader(pgid, exePath)},
	{Name: "proc.is_pgid_leader", Type: filter.Bool, Desc: "the process leads that group", get: leads(pgid, (func(th *state.Thread) int64 { return th.PID }))},
}

func sid(th *state.Thread) int64   { return th.SID }
func vpgid(th *state.Thread) int64 { return th.VPGID }
func pgid(th *state.Thread) int64  { return th.PGID }

func leads(group, own func(*state.Thread) int64) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		th := e.State.Current()
		v.Bool(group(th) == own(th))
		return true
	}
}

// leader adds what the process has that leads a group: the one with the group's
// number, or, where that has ended or the number is of another pid namespace,
// the oldest ancestor in the group.
func leader(group func(*state.Thread) int64, add text) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		th := e.State.Current()
		id := group(th)
		if id < 0 && e.newest() {
			return true // nobody knows
		}
		if th.VPID == 0 || th.VPID == th.PID {
			if lead := e.State.Known(id); lead != nil {
				add(e, lead, v)
				return true
			}
		}
		found := e.State.Process(th)
		if found == nil {
			return false
		}
		for range maxAncestors {
			up := e.State.Parent(found)
			if up == nil || group(up) != id {
				break
			}
			found = up
		}
		add(e, found, v)
		return true
	}
}

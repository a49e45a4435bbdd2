package doctor

// State is how well something works.
type State string

// States. Of what is reduced the finding says how.
const (
	OK      State = "ok"
	Reduced State = "reduced"
	Missing State = "missing"
)

// Report is the judgement. Its JSON keeps its shape: all keys are always there,
// and further ones may come.
type Report struct {
	Version   int     `json:"version"` // of this shape
	Pdig      string  `json:"pdig"`
	Launch    bool    `json:"launch"` // a command can be run and recorded
	Attach    bool    `json:"attach"` // other processes of the user can be traced
	Kernel    string  `json:"kernel"`
	Machine   string  `json:"machine"`
	Container string  `json:"container"`
	UID       int     `json:"uid"`
	Checks    []Check `json:"checks"`
}

// Check is what was found out about one thing.
type Check struct {
	Name     string   `json:"name"`
	State    State    `json:"state"`
	Finding  string   `json:"finding"`
	Cause    string   `json:"cause"` // a word for programs, empty if all is well
	Evidence []string `json:"evidence"`
	Remedy   string   `json:"remedy"`
	Lines    []Line   `json:"lines"` // the remedy as it is written down
}

// Line is what to add where a container is described.
type Line struct {
	Where string `json:"where"` // docker, kubernetes or ecs
	Add   string `json:"add"`
}

// ok is a check of something that works.
func ok(name, finding string) Check { return check(name, OK, finding) }

func check(name string, state State, finding string) Check {
	return Check{Name: name, State: state, Finding: finding, Evidence: []string{}, Lines: []Line{}}
}

// because gives a check its cause and what shows it.
func (c Check) because(cause string, evidence ...string) Check {
	c.Cause = cause
	c.Evidence = append(c.Evidence, evidence...)
	return c
}

// but gives a check its remedy.
func (c Check) but(remedy string, lines ...Line) Check {
	c.Remedy = remedy
	c.Lines = append(c.Lines, lines...)
	return c
}

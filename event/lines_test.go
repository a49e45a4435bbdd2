package event

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/pdig/pdig/syscalls"
)

// scene are the names that the test data declares.
type scene struct {
	cwd           string
	fds           map[int64]FDName
	threads       map[int64]string
	users, groups map[int64]string
}

func (s *scene) Thread(tid int64) (string, bool) { n, ok := s.threads[tid]; return n, ok }
func (s *scene) FD(fd int64) (FDName, bool)      { n, ok := s.fds[fd]; return n, ok }
func (s *scene) Cwd() string                     { return s.cwd }
func (s *scene) User(uid uint32) string          { return s.users[int64(uid)] }
func (s *scene) Group(gid uint32) string         { return s.groups[int64(gid)] }

func (s *scene) declare(words []string) error {
	text := ""
	if last := words[len(words)-1]; last[0] == '"' {
		text, _ = strconv.Unquote(last)
	} else {
		text = last
	}
	if words[0] == "cwd" {
		s.cwd = text
		return nil
	}
	n, err := strconv.ParseInt(words[1], 0, 64)
	switch words[0] {
	case "fd":
		name := FDName{Letter: words[2][0]}
		if len(words[2]) > 1 {
			name.L4 = words[2][1]
		}
		if len(words) > 3 {
			name.Name = text
		}
		s.fds[n] = name
	case "thread":
		s.threads[n] = text
	case "user":
		s.users[n] = text
	case "group":
		s.groups[n] = text
	}
	return err
}

func TestLines(t *testing.T) {
	file, err := os.ReadFile("testdata/lines.txt")
	if err != nil {
		t.Fatal(err)
	}
	names := scene{fds: map[int64]FDName{}, threads: map[int64]string{}, users: map[int64]string{}, groups: map[int64]string{}}
	var e Encoder
	for i, line := range strings.Split(string(file), "\n") {
		where := fmt.Sprintf("testdata/lines.txt:%d", i+1)
		left, want, event := strings.Cut(line, "###")
		fields := words(left)
		switch {
		case len(fields) == 0 || fields[0] == "#":
			continue
		case !event:
			if err := names.declare(fields); err != nil {
				t.Errorf("%s: %v", where, err)
			}
			continue
		}
		typ, err := strconv.ParseUint(fields[0], 10, 16)
		if err != nil || typ >= syscalls.NumEvents {
			t.Errorf("%s: event %s: %v", where, fields[0], err)
			continue
		}
		rec, err := putEvent(&e, 1, 100, uint16(typ), fields[1:])
		if err != nil {
			t.Errorf("%s: %v", where, err)
			continue
		}
		var v View
		if err := v.Parse(rec); err != nil {
			t.Errorf("%s: %v", where, err)
			continue
		}
		got := string(new(Printer).AppendInfo(nil, &v, &names))
		if want = strings.TrimPrefix(want, " "); want != "" {
			want += " "
		}
		if got != want {
			t.Errorf("%s: %s\n got %q\nwant %q", where, v.Name(), got, want)
		}
	}
}

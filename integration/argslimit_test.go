package integration

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/pdig/pdig/event"
)

// TestArgsLimit: more of arguments and environment is kept if that is asked for, and of
// what is longer still how long it is, of programs that were executed and of those that
// were not.
func TestArgsLimit(t *testing.T) {
	const limit, words = 20000, 30000
	const script = `./none "$0" 2>&1 || :`
	calls := map[string]struct{ result, before string }{"sh": {"0", "-c\x00" + script + "\x00"}, "./none": {"-2", ""}}
	for name, tt := range map[string]struct {
		limit       int // 0: none
		args, env   int // lengths of a word
		lasts, room int // of the argument's y, of the environment's x; 0: all
	}{
		"whole":            {limit, 10000, 9000, 0, 0},
		"cut":              {limit, words, words, limit, limit},
		"arguments alone":  {limit, words, 10, limit, 0},
		"as drivers do":    {0, words, words, 4096, 4096},
		"more than a room": {1 << 16, 60000, 60000, 51 << 9, 51 << 9},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			argument, variable := strings.Repeat("y", tt.args), "B="+strings.Repeat("x", tt.env)
			options := []string{"--"}
			if tt.limit > 0 {
				options = []string{"--args-limit", strconv.Itoa(tt.limit), "--"}
			}
			_, records := traceInto(t, append(options, "env", "-i", variable, "sh", "-c", script, argument)...)
			seen := map[string]bool{}
			eachExec(t, records, func(exe string, v *event.View) {
				call, known := calls[exe]
				if !known || paramValue(v, "res") != call.result {
					return
				}
				seen[exe] = true
				whole := call.before + argument + "\x00"
				checkList(t, exe+", arguments", string(v.Param(2)), whole, len(exe)+1, tt.lasts, tt.limit > 0)
				if exe == "sh" { // which adds to its own environment
					checkList(t, exe+", environment", string(v.Param(15)), variable+"\x00", 0, tt.room, tt.limit > 0)
				}
			})
			if len(seen) != 2 {
				t.Fatalf("execs of %v", seen)
			}
		})
	}
}

// checkList holds what is kept of a list to all of it. A list that is cut to room
// bytes, of which others take the first, ends with its length where that is told.
func checkList(t *testing.T, what, got, whole string, others, room int, told bool) {
	t.Helper()
	want := whole
	if room > 0 {
		end := ""
		if told {
			end = fmt.Sprintf("[%d bytes]\x00", others+len(whole))
		}
		want = whole[:room-others-len(end)-1] + "\x00" + end
	}
	if got != want {
		t.Errorf("%s: got %s, want %s", what, short(strconv.Quote(got)), short(strconv.Quote(want)))
	}
}

// TestArgsLimitRead: the sensor has all of that in its fields, and the length behind it.
func TestArgsLimitRead(t *testing.T) {
	t.Parallel()
	argument := strings.Repeat("y", 60000)
	r := runCommand(t, sensorPath, "--args-limit", "20000", "-p", "%proc.args|%proc.cmdline", `proc.args endswith " bytes]" and evt.type=procexit`, "--", "true", argument)
	kept := argument[:20000-len("true\x00")-len("[60006 bytes]\x00")-1] + " [60006 bytes]"
	if want := kept + "|true " + kept + "\n"; !strings.HasPrefix(r.stderr, want) {
		t.Errorf("got %s, want %s", short(strconv.Quote(r.stderr)), short(strconv.Quote(want)))
	}
}

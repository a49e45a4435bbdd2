package integration

import (
	"os/exec"
	"strings"
	"testing"
)

// TestKillAllReach has users kill all processes that they may, where the tracer
// has to do it for them because it would be hit too. What they may not kill has
// to survive. A pid namespace keeps the rest of the machine out of it.
func TestKillAllReach(t *testing.T) {
	t.Parallel()
	root(t)
	for _, tool := range []string{"unshare", "setpriv"} {
		needProgram(t, tool)
	}
	const prelude = `
		sleep 60 & root=$!
		setpriv --reuid 61234 --clear-groups sleep 60 & same=$!
		setpriv --reuid 61235 --clear-groups sleep 60 & other=$!
		until [ "$(cat /proc/$other/comm)" = sleep ] && [ "$(cat /proc/$same/comm)" = sleep ]; do :; done
		`
	// A signal is sent in a moment, and a process dies of it in another.
	const report = `
		sleep 0.5
		for p in $root $same $other; do
			kill -0 $p 2>/dev/null && [ "$(cut -d" " -f3 /proc/$p/stat 2>/dev/null)" != Z ] && echo lives || echo dead
		done`
	for _, tt := range []struct{ name, command, want string }{
		{"user", `setpriv --reuid 61234 --clear-groups sh -c 'kill -9 -1'`, "lives dead lives"},
		{"capabilities of a user namespace", `setpriv --reuid 61234 --clear-groups unshare -U -r sh -c 'kill -9 -1'`, "lives dead lives"},
		{"pid namespace", `unshare -p -f sh -c 'sleep 60 & kill -9 -1'`, "lives lives lives"},
		{"root", `sh -c 'kill -9 -1'`, "dead dead dead"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if strings.Contains(tt.command, "-U") && exec.Command("setpriv", "--reuid", "61234", "--clear-groups", "unshare", "-U", "-r", "true").Run() != nil {
				t.Skip("users may not make user namespaces (user.max_user_namespaces)")
			}
			for _, how := range []string{"", pdigPath + " --ring " + ring(t) + " -- "} {
				r := runCommand(t, "unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", prelude+how+tt.command+report)
				if got := strings.Join(strings.Fields(r.stdout), " "); got != tt.want {
					t.Errorf("with %q: root, the same user, another user: %s, want %s; stderr: %s", how, got, tt.want, r.stderr)
				}
			}
		})
	}
}

// TestKillAllSignals: no signal that a command sends to everybody hurts the
// tracer, and where nobody else is the command is told so.
func TestKillAllSignals(t *testing.T) {
	t.Parallel()
	const signals = "ILL TRAP ABRT BUS FPE SEGV 16 SYS HUP INT QUIT TERM USR1 USR2 ALRM PIPE"
	const script = `(trap "" ` + signals + `; exec sleep 100) & until [ "$(cat /proc/$!/comm)" = sleep ]; do :; done
		for s in ` + signals + `; do trap "echo $s" $s; kill -$s -1; done
		kill -9 $!; wait; while kill -0 -1 2>&-; do sleep 0.05; done; echo alone; exit 3`
	compare(t, func(t *testing.T, w *way) string {
		argv := append([]string{"sh", "-c", `trap : ` + signals + `; "$@"; echo $?`, "init"},
			w.command("sh", "-c", script)...)
		return start(t, asInit(t, argv)).wait(t).String()
	})
}

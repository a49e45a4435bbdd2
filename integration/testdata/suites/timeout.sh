# timeout(1), in all its ways.
. "$SUITES/check.sh"

# prepared gives a shell that prepares for a signal more and more time, until it does
# not end with the status $1 of one that was too late.
prepared() {
	late=$1 script=$2
	shift 2
	for time in 0.3 3 30; do
		timeout "$@" $time sh -c "$script; while :; do sleep 0.05; done" && got=0 || got=$?
		[ $got = "$late" ] || break
	done
	return $got
}

status in-time 3 timeout 100 sh -c 'exit 3'
status expired 124 timeout 0.2 sleep 1000
status killed 137 timeout -s KILL 0.2 sleep 1000
status ignored 137 prepared 124 'trap "" TERM' -k 0.2
status preserved 143 timeout --preserve-status 0.2 sleep 1000
status foreground 124 timeout --foreground 0.2 sleep 1000
status signalled 143 timeout 100 sh -c 'kill -TERM $$'
status handled 124 timeout 0.3 sh -c 'trap "exit 5" TERM; while :; do sleep 0.05; done'
status handled-preserved 5 prepared 143 'trap "exit 5" TERM' --preserve-status
status stopped 124 timeout 0.3 sh -c 'kill -STOP $$'
status missing 127 timeout 10 no-such-command
status directory 126 timeout 10 /
status terminated 143 sh -c 'timeout 1000 sleep 1000 & until pgrep -P $! sleep; do sleep 0.02; done; kill -TERM $!; wait $!'
status interrupted 124 timeout -s INT 0.3 sleep 1000
status nested 124 timeout 100 timeout 0.2 timeout 50 sleep 1000

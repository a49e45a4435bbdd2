# Sourced by the suites here: each says on standard output which of its steps
# were as expected, and keeps what programs print in files beside it.

# check runs a step that has to succeed.
check() {
	name=$1
	shift
	if "$@" >"$name.log" 2>&1; then echo "pass $name"; else echo "fail $name: $?" && cat "$name.log" >&2; fi
}

# status runs a step that has to end with a status.
status() {
	name=$1 want=$2
	shift 2
	"$@" >"$name.log" 2>&1 && got=0 || got=$?
	if [ "$got" = "$want" ]; then echo "pass $name"; else echo "fail $name: $got" && cat "$name.log" >&2; fi
}

# until_true waits for what has to come.
until_true() {
	tries=3000
	until "$@" 2>/dev/null; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.02
	done
}

gone() { ! kill -0 "$1"; }

# port is one that this machine does not give out by itself, other than those of
# suites that run at the same time, as a rule.
port=$((10000 + $$ % 20000))

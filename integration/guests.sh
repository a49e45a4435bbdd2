#!/bin/sh
# Runs in a guest, as root: the tests of every engine of the kernel that it has. The
# target guests of the Makefile starts it.
#
#	guests.sh DIRECTORY SYSDIG [PROBE...]
#
# DIRECTORY has the tests and programs, SYSDIG is one of the module's age, each PROBE a
# classic probe that was built for this kernel. Ends with a line for each part, and with 1
# if one of them failed.
here=$(cd "$(dirname "$0")" && pwd)
bin=$1 sysdig=$2
shift 2
verdicts=$(mktemp) failed=0
export TMPDIR=/dev/shm # the root may be an overlay, whose device stat does not tell

part() { # NAME DIRECTORY PROGRAM ARGUMENT...
	name=$1
	cd "$here/$2" || exit 1
	shift 2
	echo "== $name"
	# Guests are emulated on busy machines, with clocks that run on meanwhile.
	if "$@" -test.v -test.timeout 0 >"$verdicts.out" 2>&1; then verdict=ok; else verdict=FAILED failed=1; fi
	cat "$verdicts.out"
	grep -Eq '^(--- PASS|Benchmark.* ns/op)' "$verdicts.out" || [ $verdict != ok ] || verdict=skipped
	echo "$verdict $name" >>"$verdicts"
}

# Nor are the programs: of one that is executed the kernel tells in which layer it is.
programs=$(mktemp -d)
find "$bin" -maxdepth 1 -type f ! -name '*.test' -exec cp {} "$programs" \;

module=$(cat /sys/module/scap/version /sys/module/falco/version 2>/dev/null)
integration="$bin/integration.test -prebuilt $programs -patience 1h"
if [ -n "$module" ]; then
	part "module $module" ../kernelsrc/kmod "$bin/kmod.test" -test.run '^TestReal'
	part "module $module, lines of sysdig" . $integration -kmod.sysdig "$sysdig" -test.run '^TestKernelModuleLines$'
fi
for probe; do
	part "classic probe $probe" ../kernelsrc/ebpf "$bin/ebpf.test" -object "$probe" -test.run '^TestReal$'
done
part 'modern probe' . $integration -test.run '^TestModern(Exec|LargeData|NoMemory|Refused|Truth|TruthPlain)?$'
part 'modern probe, rings' ../kernelsrc/modern "$bin/modern.test" -hotplug
part 'modern probe, capabilities' . $integration -test.run '^TestModernRights$'
[ $# -gt 0 ] || set -- ''
for probe; do
	part "agreement${probe:+, classic probe $probe}" . $integration -ebpf.object "$probe" -test.run '^TestAgreement$'
	part "costs${probe:+, classic probe $probe}" . $integration -ebpf.object "$probe" -test.run '^$' -test.bench '^BenchmarkProbes$' -test.benchtime 1x
done
part 'drivers, built and loaded' . $integration -driver -test.run '^TestDriver$'
uname -r
cat "$verdicts"
exit $failed

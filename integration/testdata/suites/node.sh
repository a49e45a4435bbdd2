# An engine of events with a pool of threads.
. "$SUITES/check.sh"

node "$SUITES/node.js"
status throws 1 node -e 'throw 1'
status aborts 134 sh -c 'ulimit -c 0; node --abort-on-uncaught-exception -e "process.abort()"'

# A process for each connection, shared memory, semaphores, latches that are
# signals, and a recovery when one of them is killed.
. "$SUITES/check.sh"

run=
if [ "$(id -u)" = 0 ]; then
	run='setpriv --reuid=postgres --regid=postgres --clear-groups'
	chown postgres .
fi
data=$PWD/data
export PGHOST="$PWD" PGDATABASE=postgres PGUSER=postgres
begin() { $run pg_ctl -D "$data" -w -t 60 -l "$data/log" -o "-k $PWD -h 127.0.0.1 -p $PGPORT" start; }
export PGPORT=$port
query() { psql -XAtqc "$1"; }
parallel() {
	[ "$(query "set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0;
		set max_parallel_workers_per_gather = 3; select count(*) from pgbench_accounts a where abalance > -1000000000")" = 100000 ]
}
waits() {
	psql -XAtqc 'listen done; select pg_sleep(1000)' >/dev/null 2>&1 &
	until_true sleeps && query "select pg_cancel_backend(pid) from pg_stat_activity where query like '%pg_sleep(1000)' and pid <> pg_backend_pid()"
	! wait $!
}
sleeps() { [ "$(query "select count(*) from pg_stat_activity where wait_event = 'PgSleep'")" = 1 ]; }
crash() {
	kill -KILL "$(query "select pid from pg_stat_activity where backend_type = 'walwriter'")" && until_true grep -q 'all server processes terminated' data/log &&
		until_true consistent
}
consistent() {
	[ "$(query 'select (select sum(abalance) from pgbench_accounts) = (select sum(bbalance) from pgbench_branches)')" = t ]
}
unclean() { grep -E 'PANIC|FATAL' data/log | grep -vE 'starting up|not yet accepting|recovery mode|recovery state|terminating connection|shutting down'; }
clean() { ! unclean; }

check init $run initdb -D "$data" -A trust -U postgres -N
check start begin
check fill pgbench -i -s 1 -q
check load pgbench -c 8 -j 2 -t 50
check connections pgbench -c 4 -j 2 -t 10 -C -S
check parallel parallel
check vacuum query 'vacuum full analyze'
check cancel waits
check sums consistent
check crash crash
check again pgbench -c 4 -j 2 -t 20
check reload $run pg_ctl -D "$data" reload
check restart $run pg_ctl -D "$data" -w -t 60 -m fast restart
check stop $run pg_ctl -D "$data" -w -t 60 -m fast stop
check log clean

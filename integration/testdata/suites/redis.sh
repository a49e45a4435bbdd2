# A server of one thread that forks for what it writes to disk.
. "$SUITES/check.sh"

cli() { redis-cli -s "$PWD/socket" "$@"; }
answers() { [ "$(cli ping)" = PONG ]; }
begin() {
	redis-server --port "$port" --bind 127.0.0.1 --unixsocket "$PWD/socket" --dir "$PWD" --daemonize yes \
		--pidfile "$PWD/pid" --logfile "$PWD/server.log" --save '' --appendonly "${1:-no}" --io-threads 4
	until_true answers
}
load() {
	redis-benchmark -s "$PWD/socket" -q -n 3000 -c 50 -t set,get,incr,lpush,lpop,mset &&
		redis-benchmark -h 127.0.0.1 -p "$port" -q -n 3000 -c 20 -P 8 --threads 2 -t set,get
}
saved() { cli bgsave && until_true written && [ -s dump.rdb ]; }
written() { cli info persistence | tr -d '\r' | grep -qx rdb_bgsave_in_progress:0; }
rewritten() { cli config set appendonly yes && until_true appended; }
appended() { cli info persistence | tr -d '\r' | grep -cxE 'aof_enabled:1|aof_rewrite_(scheduled|in_progress):0|aof_last_bgrewrite_status:ok' | grep -qx 4; }
keeps() { cli set kept value && cli shutdown save; until_true gone "$pid" && begin yes && [ "$(cli get kept)" = value ]; }
ends() { kill -TERM "$(cat pid)" && until_true gone "$pid"; }

check start begin
pid=$(cat pid)
check load load
check save saved
check rewrite rewritten
check restart keeps
pid=$(cat pid)
check stop ends
check log grep -q 'ready to exit' server.log

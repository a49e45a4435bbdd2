# A master with workers: signals, sendfile, a new configuration and a new program
# while there is load.
. "$SUITES/check.sh"

mkdir html
head -c 300000 /dev/zero >html/large
echo small >html/small
cat >nginx.conf <<END
user $(id -un);
worker_processes 2;
pid $PWD/pid;
error_log $PWD/error.log notice;
events { worker_connections 100; }
http {
	access_log $PWD/access.log;
	sendfile on;
	aio threads;
	client_body_temp_path $PWD/body; proxy_temp_path $PWD/proxy; fastcgi_temp_path $PWD/fastcgi;
	uwsgi_temp_path $PWD/uwsgi; scgi_temp_path $PWD/scgi;
	server {
		listen 127.0.0.1:$port;
		root $PWD/html;
		location /through/ { proxy_pass http://127.0.0.1:$port/; }
	}
}
END
program=$(command -v nginx)
nginx() { "$program" -p "$PWD" -c "$PWD/nginx.conf" "$@"; }
begin() { nginx && until_true test -s pid; }
load() {
	ab -q -n "$2" -c 10 "$3" "http://127.0.0.1:$port/$1" >out || return
	cat out
	grep -Eq '^Failed requests: +0$' out && ! grep -q '^Non-2xx' out && grep -Eq "^Complete requests: +$2\$" out
}
workers() { pgrep -P "$(cat pid)" | sort | tr '\n' ' '; }
others() { now=$(workers); [ -n "$now" ] && [ "$now" != "$before" ]; }
reload() {
	before=$(workers)
	load small 1000 -l &
	nginx -s reload && until_true others && wait $!
}
reopen() { mv access.log old.log && nginx -s reopen && until_true test -e access.log && load small 10 -k && until_true test -s access.log; }
replace() {
	old=$(cat pid)
	kill -USR2 "$old" && until_true test -s pid.oldbin && until_true test -s pid && kill -QUIT "$old" &&
		until_true gone "$old" && load small 100 -k
}
ends() { new=$(cat pid) && nginx -s quit && until_true gone "$new"; }
clean() { ! grep -E '\[(alert|emerg|crit)\]|exited on signal' error.log; }

check start begin
check small load small 1000 -l
check large load large 300 -k
check through load through/small 300 -l
check reload reload
check reopen reopen
check replace replace
check stop ends
check log clean

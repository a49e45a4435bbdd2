# Programs that change the user and watch over a child.
. "$SUITES/check.sh"

says() { want=$1 && shift && got=$("$@" 2>/dev/null | tr -d "\r") && echo "$got" && [ "$got" = "$want" ]; }
chmod 755 .

if command -v su >/dev/null; then
	check su says nobody su nobody -s /bin/sh -c 'id -un'
	check su-login says "nobody $(getent passwd nobody | cut -d: -f6)" su - nobody -s /bin/sh -c 'echo $(id -un) $HOME'
	check su-pty says tty su -P nobody -s /bin/sh -c 'tty >/dev/null && echo tty'
	status su-status 7 su nobody -s /bin/sh -c 'exit 7'
	status su-signal 143 su nobody -s /bin/sh -c 'kill -TERM $$'
	status su-unknown 1 su no-such-user -c true
	status su-refused 1 su nobody -s /bin/sh -c 'su root -c true </dev/null'
	check su-terminated sh -c 'su nobody -s /bin/sh -c "echo \$\$ >/dev/null; exec sleep 1000" & p=$!
		until pgrep -P $p sleep || pgrep -P $p su; do sleep 0.02; done; kill -TERM $p; wait $p; test $? = 143'
fi
if command -v runuser >/dev/null; then
	check runuser says nobody runuser -u nobody -- id -un
	check runuser-pty says tty runuser -P -u nobody -- sh -c 'tty >/dev/null && echo tty'
	status runuser-status 5 runuser -u nobody -- sh -c 'exit 5'
fi
if command -v sudo >/dev/null; then
	check sudo says nobody sudo -n -u nobody id -un
	check sudo-root says root sudo -n id -un
	check sudo-environment says 'root nobody' sudo -n -u nobody sh -c 'echo $SUDO_USER $LOGNAME'
	check sudo-twice says nobody sudo -n sudo -n -u nobody id -un
	check sudo-background sudo -n -b -u nobody true
	check sudo-edit sudo -n -l
	check sudo-pty script -qec 'sudo -n -u nobody sh -c "test -t 0 && id -un"' /dev/null
	status sudo-status 9 sudo -n -u nobody sh -c 'exit 9'
	status sudo-signal 143 sudo -n -u nobody sh -c 'kill -TERM $$'
	status sudo-command 1 sudo -n no-such-command
	status sudo-refused 1 setpriv --reuid=nobody --regid=nogroup --clear-groups sudo -n true
	check sudo-terminated sh -c 'sudo -n -u nobody sleep 1000 & p=$!
		until pgrep -u nobody -P $p sleep || pgrep -P "$(pgrep -P $p)" sleep; do sleep 0.02; done 2>/dev/null
		kill -TERM $p; wait $p; test $? = 143'
fi
if command -v setpriv >/dev/null; then
	check setpriv says nobody setpriv --reuid=nobody --regid=nogroup --clear-groups id -un
	check setpriv-parent sh -c 'setpriv --pdeathsig TERM sleep 1000 & kill $!; wait $!; test $? = 143'
fi

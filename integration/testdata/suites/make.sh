# A tree of C, built by four jobs at a time that recursive makes share.
. "$SUITES/check.sh"

for d in a b c d; do
	mkdir $d
	for i in 1 2 3 4 5; do
		printf '#include <stdio.h>\n#include <string.h>\nint %s%d(int n) { char s[40]; snprintf(s, sizeof s, "%%d", n); return strlen(s) * %d; }\n' $d $i $i >$d/$i.c
	done
	printf 'lib%s.a: 1.o 2.o 3.o 4.o 5.o\n\t$(AR) rcs $@ $^\n%%.o: %%.c\n\t$(CC) -O2 -c -o $@ $<\n' $d >$d/Makefile
	for i in 1 2 3 4 5; do
		echo "int $d$i(int);" >>all.h
		echo "n += $d$i(1234);" >>all.inc
	done
done
printf '#include "all.h"\n#include <stdio.h>\nint main(void) { int n = 0;\n#include "all.inc"\nprintf("%%d\\n", n); return 0; }\n' >main.c
cat >Makefile <<'END'
DIRS = a b c d
prog: main.o $(DIRS)
	$(CC) -o $@ main.o $(DIRS:%=%/liba.a) || $(CC) -o $@ main.o a/liba.a b/libb.a c/libc.a d/libd.a
$(DIRS):
	+$(MAKE) -C $@
slow:
	sleep 1000
bad: slow
	true
fails:
	exit 3
.PHONY: $(DIRS) slow bad fails clean
clean:
	rm -f prog *.o */*.o */*.a
END
result() { [ "$(./prog)" = 240 ]; }
interrupted() {
	setsid make bad &
	until_true pgrep -f -s $! 'sleep 1000' && kill -TERM -$!
	! wait $!
}

check build make -j4
check result result
check nothing make -q -j4 main.o
check clean make clean
check output make -j4 -O
check again result
check interrupted interrupted
status failure 2 make -j4 fails

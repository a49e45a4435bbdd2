# A virtual machine, and the compiler that runs in one.
. "$SUITES/check.sh"

check compile javac -d . "$SUITES/Suite.java"
java -cp . Suite
check interpreted java -Xint -cp . Suite
check serial java -XX:+UseSerialGC -cp . Suite
check parallel java -XX:+UseParallelGC -cp . Suite

package fields

import "strings"

// callCategories are what sysdig 0.29.3 says of the calls that have no events of
// their own. Falco has given up telling them apart: all are other.
var callCategories = indexCategories()

func indexCategories() map[string]string {
	m := map[string]string{}
	for category, names := range map[string]string{
		"IPC": `chroot eventfd eventfd2 fanotify_init futex getdents64 inotify_add_watch inotify_init
			inotify_init1 inotify_rm_watch ipc kill mq_getsetattr mq_notify mq_open mq_timedreceive
			mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd pipe pipe2 semctl semget semop shmat shmctl
			shmdt shmget splice tee vmsplice`,
		"file": `access chdir chmod chown close copy_file_range creat faccessat fchdir fchmod fchmodat fchown
			fchownat fcntl64 fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64
			fstatfs fstatfs64 ftruncate futimesat getcwd getdents getxattr lchown lgetxattr link linkat
			listxattr llistxattr llseek lremovexattr lseek lsetxattr lstat lstat64 mkdir mkdirat mknod
			mknodat mmap mmap2 mount mremap munmap open openat openat2 pread64 pwrite64 readlink readlinkat
			remap_file_pages removexattr rename renameat renameat2 rmdir sendfile sendfile64 setxattr stat
			stat64 statfs statfs64 symlink symlinkat syncfs truncate umount umount2 unlink unlinkat
			userfaultfd ustat utimensat utimes`,
		"memory": `brk madvise mincore mlock mlockall mprotect munlock munlockall`,
		"net": `accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg
			sendmmsg sendmsg sendto setsockopt shutdown socket socketcall socketpair`,
		"process": `acct arch_prctl capget capset clone clone3 exit get_robust_list get_thread_area getcpu getpgid
			getpgrp getpid getppid getpriority getrlimit getrusage getsid gettid ioprio_get ioprio_set nice
			personality pivot_root prctl prlimit64 sched_get_priority_max sched_get_priority_min
			sched_getaffinity sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity
			sched_setparam sched_setscheduler set_robust_list set_thread_area set_tid_address setns setpgid
			setpriority setrlimit setsid swapon ugetrlimit umask unshare uselib`,
		"signal": `rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigsuspend rt_sigtimedwait
			sgetmask signal signalfd signalfd4 sigpending sigprocmask sigreturn ssetmask tgkill tkill`,
		"sleep": `clock_nanosleep nanosleep sched_yield`,
		"system": `add_key adjtimex delete_module execve execveat finit_module init_module kexec_load keyctl
			olduname quotactl reboot request_key restart_syscall setdomainname sethostname swapoff sysfs
			sysinfo syslog uname`,
		"time": `alarm clock_getres clock_gettime clock_settime getitimer gettimeofday setitimer settimeofday
			stime time timer_create timer_delete timer_getoverrun timer_gettime timer_settime
			timerfd_create timerfd_gettime timerfd_settime times utime`,
		"unknown": `dup dup2 dup3 exit_group fadvise64 fallocate fdatasync fork fsync getrandom io_cancel
			io_destroy io_getevents io_setup io_submit ioctl msync newfstatat preadv process_vm_readv
			process_vm_writev pwritev read readv sigaltstack sync vfork write writev`,
		"user": `getegid geteuid getgid getgroups getresgid getresuid getuid setfsgid setfsuid setgid setgroups
			setregid setresgid setresuid setreuid setuid`,
		"wait": `epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_wait fcntl newselect pause poll ppoll
			pselect6 select wait4 waitid waitpid`,
	} {
		for name := range strings.FieldsSeq(names) {
			m[name] = category
		}
	}
	return m
}

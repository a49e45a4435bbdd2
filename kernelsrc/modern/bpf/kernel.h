/* The few types of the kernel that the probe looks into. Only names count: where the
 * fields are is found out when the object is loaded (CO-RE). */
#ifndef KERNEL_H
#define KERNEL_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int s32;
typedef long long s64;

/* What bpf_helpers.h expects. */
typedef u8 __u8;
typedef u16 __u16;
typedef u32 __u32;
typedef u64 __u64;
typedef s32 __s32;
typedef s64 __s64;
typedef u16 __be16;
typedef u32 __be32;
typedef u32 __wsum;

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_RINGBUF = 27,
};

enum bpf_func_id { BPF_FUNC_get_current_task_btf = 158 };

#define BPF_RB_NO_WAKEUP 1
#define BPF_ANY 0
#define BPF_F_NO_PREALLOC 1

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#if defined(__TARGET_ARCH_x86)
struct pt_regs { unsigned long r10, r9, r8, ax, dx, si, di, bx, cx, bp, orig_ax; };
struct thread_info { unsigned long flags; u32 status; };
#else
struct user_pt_regs { u64 regs[31]; u64 sp, pc, pstate; };
struct pt_regs { u64 regs[31]; u64 orig_x0; s32 syscallno; };
struct thread_info { unsigned long flags; };
#endif

struct qstr { const unsigned char *name; };
struct super_block { u32 s_dev; unsigned long s_magic, s_flags; };
struct timespec64 { s64 tv_sec; long tv_nsec; };
struct inode { unsigned long i_ino; struct super_block *i_sb; struct { u32 val; } i_uid; struct { u32 val; } i_gid; u16 i_mode; u32 i_nlink, i_flags; };
struct inode___old { struct timespec64 i_ctime; struct timespec64 i_mtime; };
struct inode___6_6 { struct timespec64 __i_ctime; struct timespec64 __i_mtime; };
struct inode___6_11 { s64 i_ctime_sec; u32 i_ctime_nsec; s64 i_mtime_sec; u32 i_mtime_nsec; };
struct hlist_bl_node { struct hlist_bl_node **pprev; };
struct dentry { struct dentry *d_parent; struct qstr d_name; struct inode *d_inode; struct hlist_bl_node d_hash; };
struct vfsmount { struct dentry *mnt_root; int mnt_flags; };
struct mount { struct mount *mnt_parent; struct dentry *mnt_mountpoint; struct vfsmount mnt; };
struct path { struct vfsmount *mnt; struct dentry *dentry; };
struct file { struct path f_path; struct inode *f_inode; u32 f_mode; void *private_data; };
struct fdtable { u32 max_fds; struct file **fd; };
struct files_struct { struct fdtable *fdt; };
struct fs_struct { struct path root; struct path pwd; };
struct mm_struct { unsigned long arg_start, arg_end, env_start, env_end, total_vm; struct file *exe_file; };
struct bpf_array { void *pptrs[1]; };
struct percpu_counter { s64 count; s32 *counters; };
struct mm_struct___percpu { struct percpu_counter rss_stat[4]; }; /* 6.2 */
struct mm_rss_stat { struct { s64 counter; } count[4]; };
struct mm_struct___plain { struct mm_rss_stat rss_stat; };
struct cred { struct { u32 val; } euid; struct { u32 val; } egid; struct capabilities { u32 cap[2]; } cap_inheritable, cap_permitted, cap_effective; };
struct task_struct;
struct pid_namespace { struct task_struct *child_reaper; };
struct nsproxy { struct pid_namespace *pid_ns_for_children; };
struct upid { int nr; struct pid_namespace *ns; };
struct pid { u32 level; struct upid numbers[1]; };
struct tty_driver { int major, minor_start; };
struct tty_struct { struct tty_driver *driver; int index; };
struct rlimit { unsigned long rlim_cur; };
struct signal_struct { struct pid *pids[4]; struct tty_struct *tty; struct rlimit rlim[16]; struct { int counter; } live; u32 is_child_subreaper : 1; };
struct list_head { struct list_head *next; };
struct kernfs_node { const char *name; };
struct kernfs_node___old { struct kernfs_node *parent; };
struct kernfs_node___6_15 { struct kernfs_node *__parent; };
struct cgroup_root;
struct cgroup { struct kernfs_node *kn; struct cgroup_root *root; };
struct cgroup_subsys_state { struct cgroup *cgroup; };
struct css_set { struct cgroup_subsys_state *subsys[16]; struct cgroup *dfl_cgrp; };
struct task_struct {
	struct thread_info thread_info;
	int pid, tgid, exit_code;
	unsigned long min_flt, maj_flt;
	struct files_struct *files;
	struct fs_struct *fs;
	struct mm_struct *mm;
	const struct cred *cred;
	struct task_struct *real_parent, *group_leader;
	struct signal_struct *signal;
	struct { u32 val; } loginuid;
	struct pid *thread_pid;
	struct css_set *cgroups;
	struct nsproxy *nsproxy;
	struct list_head children;
	u64 start_boottime;
	char comm[16];
};
struct linux_binprm { const char *filename; };
struct task_struct___5_4 { u64 real_start_time; };
union __sifields { struct { int _pid; } _kill; };
enum cgroup_subsys_id {
	cpuset_cgrp_id, cpu_cgrp_id, cpuacct_cgrp_id, io_cgrp_id, memory_cgrp_id, devices_cgrp_id, freezer_cgrp_id,
	net_cls_cgrp_id, perf_event_cgrp_id, net_prio_cgrp_id, hugetlb_cgrp_id, pids_cgrp_id, rdma_cgrp_id, misc_cgrp_id,
};
struct kernel_siginfo { int si_code; union __sifields _sifields; };

struct in6_addr { u8 bytes[16]; };
struct sock_common {
	u32 skc_daddr, skc_rcv_saddr;
	u16 skc_dport, skc_num, skc_family;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
};
struct sk_buff_head { u32 qlen; };
struct sock { struct sock_common __sk_common; u32 sk_ack_backlog, sk_max_ack_backlog; u16 sk_type; struct sk_buff_head sk_receive_queue; };
struct socket { struct file *file; struct sock *sk; };
struct inet_sock { struct sock sk; u16 inet_sport; };
struct sockaddr_un { u16 sun_family; };
struct unix_address { int len; struct sockaddr_un name[0]; };
struct unix_sock { struct sock sk; struct unix_address *addr; struct sock *peer; };

#pragma clang attribute pop

#endif

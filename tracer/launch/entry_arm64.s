#include "go_asm.h"
#include "textflag.h"

// root stands in the place of descriptor 2, opened with O_PATH.
DATA root<>+0(SB)/2, $"/\x00"
GLOBL root<>(SB), RODATA, $2

// _pdig_start is the ELF entry. It has no caller and uses no stack: SP is as
// the kernel left it, with argc, argv, envp and the auxiliary vector above it,
// because both processes hand it on to the Go runtime's own entry.
// The region is described in region.go.
//
// R19 is the region, later an entry of the script. R20 is the tracer's pid;
// in the tracer, the number of a limit. A system call changes R0 only.
TEXT _pdig_start(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	// A Go program that starts no command has a name with a mark.
	MOVD 8(RSP), R9 // argv[0]
	CBZ  R9, split
	MOVBU (R9), R9
	CMP  $const_plainMark, R9
	BEQ  tracer

split:
	// The one piece of memory that the two processes will share.
	MOVD $const_sysMmap, R8
	MOVD $0, R0
	MOVD $const_regionSize, R1
	MOVD $const_mapProt, R2
	MOVD $const_mapFlags, R3
	MOVD $-1, R4
	MOVD $0, R5
	SVC
	CMN  $4095, R0
	BHS  nomap
	MOVD R0, R19
	MOVD R19, ·region(SB)
	MOVD RSP, R9
	MOVD R9, memory_stack(R19)
	MOVD $const_tickNs, R9
	MOVD R9, (memory_tick+8)(R19)
	MOVD $const_sysGetpid, R8
	SVC
	MOVD R0, memory_pid(R19)

	// clone(0): a plain copy, for which no signal is sent when it ends and
	// which a wait without __WALL does not see. No CLONE_FILES: exec would undo
	// it, and with it the POSIX locks would go.
	MOVD $const_sysClone, R8
	MOVD $0, R0
	MOVD $0, R1
	MOVD $0, R2
	MOVD $0, R3
	MOVD $0, R4
	SVC
	CMN  $4095, R0
	BHS  noclone
	CBNZ R0, original

	// The tracer: out of the session, so that no signal of the terminal and
	// none to the job reaches it.
	MOVD $const_sysSetsid, R8
	SVC
	// GODEBUG, GOMEMLIMIT and their like are for the command. Here they would
	// print on its stderr and begin collections: in this copy of the
	// environment their names do not begin with GO.
	MOVD 0(RSP), R9 // argc
	ADD  $16, RSP, R10
	ADD  R9<<3, R10, R10 // envp
scrub:
	MOVD.P 8(R10), R11
	CBZ  R11, limits
	MOVBU 0(R11), R12
	MOVBU 1(R11), R13
	ORR  R13<<8, R12, R12
	CMP  $const_prefixGO, R12
	BNE  scrub
	MOVD $0x5f, R12
	MOVB R12, 0(R11)
	B    scrub

	// Limits of the process are for the command. Its tracer goes as far as it
	// may: to the hard ones, and beyond them where privilege allows that.
limits:
	MOVD $const_raisedLimits, R21
	MOVD $const_lastRaised, R20
limit:
	LSR  R20, R21, R9
	TBZ  $0, R9, lower
	MOVD $const_sysPrlimit, R8
	MOVD $0, R0
	MOVD R20, R1
	MOVD $0, R2
	ADD  $memory_data, R19, R3
	SVC
	CBNZ R0, lower
	MOVD (memory_data+8)(R19), R9
	MOVD R9, memory_data(R19)
	ADD  $memory_data, R19, R2
	MOVD $0, R3
	SVC
	MOVD $const_rlimInfinity, R9
	MOVD R9, memory_data(R19)
	MOVD R9, (memory_data+8)(R19)
	MOVD $0, R0
	SVC
lower:
	SUBS $1, R20, R20
	BPL  limit

	// Put descriptor 2 aside: see stderr.go.
	MOVD $const_sysFcntl, R8
	MOVD $2, R0
	MOVD $const_dupCloexec, R1
	MOVD $3, R2
	SVC
	CMN  $4095, R0
	BHS  tracer
	MOVW R0, memory_stderr(R19)
	MOVD $const_sysOpenat, R8
	MOVD $const_cwd, R0
	MOVD $root<>(SB), R1
	MOVD $const_rootFlags, R2
	MOVD $0, R3
	SVC
	CMN  $4095, R0
	BHS  tracer
	MOVD R0, R20
	MOVD $const_sysDup3, R8
	MOVD $2, R1
	MOVD $0, R2
	SVC
	MOVD $const_sysClose, R8
	MOVD R20, R0
	SVC
tracer:
	B    _rt0_arm64_linux(SB)

original:
	MOVD R0, R20
	MOVD R20, memory_tracer(R19)
	// Yama lets only a parent trace, unless it is told otherwise. Without Yama
	// this is EINVAL, which is as good.
	MOVD $const_sysPrctl, R8
	MOVD $const_setTracer, R0
	MOVD R20, R1
	MOVD $0, R2
	MOVD $0, R3
	MOVD $0, R4
	SVC
	MOVD $1, R9
	ADD  $memory_ready, R19, R10
	STLRW R9, (R10) // after the store of the pid

wait:
	// Sleep for a tick at most: a tracer that was killed opens no gate.
	MOVD $const_sysFutex, R8
	ADD  $memory_gate, R19, R0
	MOVD $0, R1 // FUTEX_WAIT
	MOVD $0, R2 // while the gate is 0
	ADD  $memory_tick, R19, R3
	MOVD $0, R4
	MOVD $0, R5
	SVC
	ADD  $memory_gate, R19, R10
	LDARW (R10), R9 // before the loads of the script
	CBNZ R9, run
	MOVD $const_sysWait4, R8
	MOVD R20, R0
	MOVD $0, R1
	MOVD $const_waitFlags, R2
	MOVD $0, R3
	SVC
	CBZ  R0, wait // still there
	MOVD ·tracerLost(SB), R1
	MOVD ·tracerLost+8(SB), R2
	B    fail

run:
	ADD $memory_script, R19, R19

next:
	MOVD entry_nr(R19), R8
	MOVD (entry_args+0)(R19), R0
	CMP  $const_opGo, R8
	BEQ  program
	CMP  $const_opStore, R8
	BEQ  result // which the argument is
	MOVD (entry_args+8)(R19), R1
	MOVD (entry_args+16)(R19), R2
	MOVD (entry_args+24)(R19), R3
	MOVD (entry_args+32)(R19), R4
	MOVD (entry_args+40)(R19), R5
	SVC

result:
	// All that follows is read after the call: the tracer may have rewritten
	// it while the call was stopped.
	MOVD entry_dst(R19), R9
	MOVD R0, (R9)
	CMN  $4095, R0
	BHS  bad
	MOVD entry_ok(R19), R19
	B    next

bad:
	MOVD entry_bad(R19), R19
	B    next

program:
	B _rt0_arm64_linux(SB)

nomap:
	MOVD ·mapRefused(SB), R1
	MOVD ·mapRefused+8(SB), R2
	B    fail

noclone:
	MOVD ·cloneRefused(SB), R1
	MOVD ·cloneRefused+8(SB), R2

fail:
	MOVD $const_sysWrite, R8
	MOVD $2, R0
	SVC
	MOVD $const_sysExitGroup, R8
	MOVD $const_ownStatus, R0
	SVC
	BRK

// func entryPC() uintptr
TEXT ·entryPC(SB),NOSPLIT,$0-8
	MOVD $_pdig_start(SB), R0
	MOVD R0, ret+0(FP)
	RET

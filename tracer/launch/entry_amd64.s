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
// R12 is the region, later an entry of the script. R13 is the tracer's pid; in
// the tracer, the number of a limit. A system call changes AX, CX and R11 only.
TEXT _pdig_start(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	// A Go program that starts no command has a name with a mark.
	MOVQ 8(SP), AX // argv[0]
	TESTQ AX, AX
	JZ   split
	CMPB (AX), $const_plainMark
	JEQ  tracer

split:
	// The one piece of memory that the two processes will share.
	MOVQ $const_sysMmap, AX
	XORL DI, DI
	MOVQ $const_regionSize, SI
	MOVQ $const_mapProt, DX
	MOVQ $const_mapFlags, R10
	MOVQ $-1, R8
	XORL R9, R9
	SYSCALL
	CMPQ AX, $-4095
	JAE  nomap
	MOVQ AX, R12
	MOVQ R12, ·region(SB)
	MOVQ SP, memory_stack(R12)
	MOVQ $const_tickNs, AX
	MOVQ AX, (memory_tick+8)(R12)
	MOVQ $const_sysGetpid, AX
	SYSCALL
	MOVQ AX, memory_pid(R12)

	// clone(0): a plain copy, for which no signal is sent when it ends and
	// which a wait without __WALL does not see. No CLONE_FILES: exec would undo
	// it, and with it the POSIX locks would go.
	MOVQ $const_sysClone, AX
	XORL DI, DI
	XORL SI, SI
	XORL DX, DX
	XORL R10, R10
	XORL R8, R8
	SYSCALL
	CMPQ AX, $-4095
	JAE  noclone
	TESTQ AX, AX
	JNZ  original

	// The tracer: out of the session, so that no signal of the terminal and
	// none to the job reaches it.
	MOVQ $const_sysSetsid, AX
	SYSCALL
	// GODEBUG, GOMEMLIMIT and their like are for the command. Here they would
	// print on its stderr and begin collections: in this copy of the
	// environment their names do not begin with GO.
	MOVQ 0(SP), AX          // argc
	LEAQ 16(SP)(AX*8), DI   // envp
scrub:
	MOVQ (DI), SI
	ADDQ $8, DI
	TESTQ SI, SI
	JZ   limits
	CMPW (SI), $const_prefixGO
	JNE  scrub
	MOVB $0x5f, (SI)
	JMP  scrub

	// Limits of the process are for the command. Its tracer goes as far as it
	// may: to the hard ones, and beyond them where privilege allows that.
limits:
	MOVL $const_raisedLimits, BX
	MOVL $const_lastRaised, R13
limit:
	BTL  R13, BX
	JCC  lower
	MOVQ $const_sysPrlimit, AX
	XORL DI, DI
	MOVL R13, SI
	XORL DX, DX
	LEAQ memory_data(R12), R10
	SYSCALL
	TESTQ AX, AX
	JNZ  lower
	MOVQ (memory_data+8)(R12), AX
	MOVQ AX, memory_data(R12)
	MOVQ $const_sysPrlimit, AX
	LEAQ memory_data(R12), DX
	XORL R10, R10
	SYSCALL
	MOVQ $const_rlimInfinity, AX
	MOVQ AX, memory_data(R12)
	MOVQ AX, (memory_data+8)(R12)
	MOVQ $const_sysPrlimit, AX
	SYSCALL
lower:
	DECL R13
	JPL  limit

	// Put descriptor 2 aside: see stderr.go.
	MOVQ $const_sysFcntl, AX
	MOVL $2, DI
	MOVL $const_dupCloexec, SI
	MOVL $3, DX
	SYSCALL
	CMPQ AX, $-4095
	JAE  tracer
	MOVL AX, memory_stderr(R12)
	MOVQ $const_sysOpenat, AX
	MOVQ $const_cwd, DI
	LEAQ root<>(SB), SI
	MOVL $const_rootFlags, DX
	XORL R10, R10
	SYSCALL
	CMPQ AX, $-4095
	JAE  tracer
	MOVQ AX, DI
	MOVQ $const_sysDup3, AX
	MOVL $2, SI
	XORL DX, DX
	SYSCALL
	MOVQ $const_sysClose, AX
	SYSCALL
tracer:
	JMP  _rt0_amd64_linux(SB)

original:
	MOVQ AX, R13
	MOVQ AX, memory_tracer(R12)
	// Yama lets only a parent trace, unless it is told otherwise. Without Yama
	// this is EINVAL, which is as good.
	MOVQ $const_sysPrctl, AX
	MOVQ $const_setTracer, DI
	MOVQ R13, SI
	XORL DX, DX
	XORL R10, R10
	XORL R8, R8
	SYSCALL
	MOVL $1, memory_ready(R12) // stores are not reordered on amd64

wait:
	// Sleep for a tick at most: a tracer that was killed opens no gate.
	MOVQ $const_sysFutex, AX
	LEAQ memory_gate(R12), DI
	XORL SI, SI // FUTEX_WAIT
	XORL DX, DX // while the gate is 0
	LEAQ memory_tick(R12), R10
	XORL R8, R8
	XORL R9, R9
	SYSCALL
	MOVL memory_gate(R12), AX
	TESTL AX, AX
	JNZ  run
	MOVQ $const_sysWait4, AX
	MOVQ R13, DI
	XORL SI, SI
	MOVQ $const_waitFlags, DX
	XORL R10, R10
	SYSCALL
	TESTQ AX, AX
	JZ   wait // still there
	MOVQ ·tracerLost(SB), SI
	MOVQ ·tracerLost+8(SB), DX
	JMP  fail

run:
	LEAQ memory_script(R12), R12

next:
	MOVQ entry_nr(R12), AX
	CMPQ AX, $const_opGo
	JEQ  program
	MOVQ (entry_args+0)(R12), DI
	CMPQ AX, $const_opStore
	JEQ  store
	MOVQ (entry_args+8)(R12), SI
	MOVQ (entry_args+16)(R12), DX
	MOVQ (entry_args+24)(R12), R10
	MOVQ (entry_args+32)(R12), R8
	MOVQ (entry_args+40)(R12), R9
	SYSCALL

result:
	// All that follows is read after the call: the tracer may have rewritten
	// it while the call was stopped.
	MOVQ entry_dst(R12), CX
	MOVQ AX, (CX)
	CMPQ AX, $-4095
	JAE  bad
	MOVQ entry_ok(R12), R12
	JMP  next

bad:
	MOVQ entry_bad(R12), R12
	JMP  next

store:
	MOVQ DI, AX
	JMP  result

program:
	JMP _rt0_amd64_linux(SB)

nomap:
	MOVQ ·mapRefused(SB), SI
	MOVQ ·mapRefused+8(SB), DX
	JMP  fail

noclone:
	MOVQ ·cloneRefused(SB), SI
	MOVQ ·cloneRefused+8(SB), DX

fail:
	MOVQ $const_sysWrite, AX
	MOVQ $2, DI
	SYSCALL
	MOVQ $const_sysExitGroup, AX
	MOVQ $const_ownStatus, DI
	SYSCALL
	INT  $3

// func entryPC() uintptr
TEXT ·entryPC(SB),NOSPLIT,$0-8
	LEAQ _pdig_start(SB), AX
	MOVQ AX, ret+0(FP)
	RET

package kmod

// Requests of the module: _IO('s', n) of driver/ppm_events_public.h.
const (
	reqStop         = 0x7300 + 0  // API 1, each device
	reqStart        = 0x7300 + 1  // API 1, each device
	reqDropOff      = 0x7300 + 2  // all
	reqDropOn       = 0x7300 + 3  // all; ratio
	reqSnaplen      = 0x7300 + 4  // all; bytes
	reqUnsetEvent   = 0x7300 + 7  // API 1, 2; event type
	reqAPI          = 0x7300 + 24 // all; *u64
	reqSchema       = 0x7300 + 25 // all; *u64
	reqTracepoints  = 0x7300 + 26 // API 2, 3; mask
	reqNoCalls      = 0x7300 + 28 // API 3
	reqCall         = 0x7300 + 29 // API 3 on; native number
	reqNoCall       = 0x7300 + 30 // API 3 on; native number
	reqTracepointOn = 0x7300 + 31 // API 4 on; index
	reqTracepoint0  = 0x7300 + 32 // API 4 on; index
)

// Tracepoints, by index, from API 2 on.
const (
	tpSysEnter = iota
	tpSysExit
	tpProcExit
	tpSwitch
	tpFaultUser
	tpFaultKernel
	tpSignal
	tpFork
	tpExec
	numTracepoints
)

// maxCall is the number of system calls that a module can tell apart.
const maxCall = 512

// maxSnaplen is the most bytes of data that a module keeps.
const maxSnaplen = 65000

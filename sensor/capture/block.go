package capture

// Types of blocks, as libscap numbers them. Those of its time before the first
// release have numbers of their own.
const (
	typeSection = 0x0A0D0D0A

	typeMachine    = 0x201
	typeMachineOld = 0x8002ABCD

	typeProcesses1    = 0x202
	typeProcesses1Old = 0x8000ABCD
	typeProcesses2    = 0x207
	typeProcesses2Old = 0x8013ABCD
	typeProcesses3    = 0x209
	typeProcesses3Old = 0x8014ABCD
	typeProcesses4    = 0x210
	typeProcesses5    = 0x211
	typeProcesses6    = 0x212
	typeProcesses7    = 0x213
	typeProcesses8    = 0x214
	typeProcesses9    = 0x215

	typeFDs    = 0x203
	typeFDsOld = 0x8001ABCD
	typeFDs2   = 0x218

	typeInterfaces    = 0x205
	typeInterfacesOld = 0x8011ABCD
	typeInterfaces2   = 0x219

	typeUsers    = 0x206
	typeUsersOld = 0x8012ABCD
	typeUsers2   = 0x220

	typeEvent           = 0x204
	typeEventOld        = 0x8010ABCD
	typeEventFlags      = 0x208
	typeEvent2          = 0x216
	typeEvent2Flags     = 0x217
	typeEventLarge      = 0x221
	typeEventLargeFlags = 0x222
)

// Parts of a block.
const (
	headSize    = 8 // type and total length
	trailerSize = 4 // total length
	minBlock    = headSize + trailerSize
)

// The section header.
const (
	magic        = 0x1A2B3C4D
	majorVersion = 1
	minorVersion = 2
	sectionSize  = 16 // magic, versions, length of the section
)

// Bounds of blocks with an event. Other blocks are read in small pieces and may
// have any size.
const (
	maxEventBlock = headSize + 1<<16
	maxLargeBlock = 16 << 20
)

// flagHidden marks an event that changes the state and is not shown.
const flagHidden = 1

// processVersion is the version of a process list, 0 for other blocks.
func processVersion(typ uint32) int {
	switch typ {
	case typeProcesses1, typeProcesses1Old:
		return 1
	case typeProcesses2, typeProcesses2Old:
		return 2
	case typeProcesses3, typeProcesses3Old:
		return 3
	case typeProcesses4:
		return 4
	case typeProcesses5:
		return 5
	case typeProcesses6:
		return 6
	case typeProcesses7:
		return 7
	case typeProcesses8:
		return 8
	case typeProcesses9:
		return 9
	}
	return 0
}

package ebpf

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pdig/pdig/kernelsrc"
)

// Bounds of an object; the largest known one has 5 MB and 200 sections.
const (
	maxObject   = 64 << 20
	maxSections = 2048
	maxMaps     = 64
	maxText     = 256
)

// object is what a file with a probe holds.
type object struct {
	license, release string // release is that of the kernel it was built for
	api, schema      kernelsrc.Version
	maps             []mapDef
	programs         []program
}

// mapDef is a definition of a map.
type mapDef struct {
	name                            string
	typ, key, value, entries, flags uint32
}

// mapDefSize is the size of a definition: seven u32, of which the last two are not
// used.
const mapDefSize = 28

// program is a section with a program.
type program struct {
	section string
	raw     bool   // of a raw tracepoint
	filler  string // the event that it fills, or
	group   string // of a plain tracepoint
	event   string
	code    []byte
	refs    []ref
}

// ref is an instruction that loads a map.
type ref struct {
	offset uint64 // in the code
	m      int    // index of the map
}

// insn is the size of an instruction, loadImm the first byte of one that loads 64
// bits.
const (
	insn    = 8
	loadImm = 0x18
)

// readObject reads the file with a probe, which may hold anything.
func readObject(r io.ReaderAt, size int64) (*object, error) {
	if size > maxObject {
		return nil, fmt.Errorf("%d bytes are no probe", size)
	}
	f, err := elf.NewFile(io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil, fmt.Errorf("no ELF object: %w", err)
	}
	switch {
	case f.Class != elf.ELFCLASS64 || f.Data != elf.ELFDATA2LSB || f.Type != elf.ET_REL:
		return nil, fmt.Errorf("no relocatable 64-bit little-endian object")
	case f.Machine != elf.EM_BPF:
		return nil, fmt.Errorf("an object for %v, not for BPF", f.Machine)
	case len(f.Sections) > maxSections:
		return nil, fmt.Errorf("%d sections are no probe", len(f.Sections))
	}
	for _, s := range f.Sections {
		if s.Flags&elf.SHF_COMPRESSED != 0 || s.Type != elf.SHT_NOBITS && s.FileSize > uint64(size) {
			return nil, fmt.Errorf("section %q is larger than the file", s.Name)
		}
	}
	o := &object{}
	if err := o.readTexts(f); err != nil {
		return nil, err
	}
	byOffset, err := o.readMaps(f)
	if err != nil {
		return nil, err
	}
	return o, o.readPrograms(f, byOffset)
}

func section(f *elf.File, name string) ([]byte, error) {
	s := f.Section(name)
	if s == nil || s.Type == elf.SHT_NOBITS {
		return nil, fmt.Errorf("no section %q: this is no classic probe", name)
	}
	return s.Data()
}

func (o *object) readTexts(f *elf.File) error {
	for name, to := range map[string]*string{"license": &o.license, "kernel_version": &o.release} {
		b, err := section(f, name)
		if err != nil {
			return err
		}
		b, _, _ = bytes.Cut(b, []byte{0})
		if len(b) == 0 || len(b) > maxText {
			return fmt.Errorf("section %q has a text of %d bytes", name, len(b))
		}
		*to = string(b)
	}
	for name, to := range map[string]*kernelsrc.Version{"api_version": &o.api, "schema_version": &o.schema} {
		b, err := section(f, name)
		if err != nil {
			return err
		}
		if len(b) != 8 {
			return fmt.Errorf("section %q has %d bytes, not 8", name, len(b))
		}
		*to = kernelsrc.Version(binary.LittleEndian.Uint64(b))
	}
	return nil
}

// readMaps reads the definitions in the order of their offsets, and tells which
// symbol stands for which.
func (o *object) readMaps(f *elf.File) (bySymbol map[int]int, err error) {
	data, err := section(f, "maps")
	if err != nil {
		return nil, err
	}
	symbols, err := f.Symbols()
	if err != nil {
		return nil, fmt.Errorf("no symbols: %w", err)
	}
	in := elf.SectionIndex(slices.Index(f.Sections, f.Section("maps")))
	var of []int // symbols of maps
	for i, s := range symbols {
		if s.Section == in && elf.ST_TYPE(s.Info) != elf.STT_SECTION {
			of = append(of, i)
		}
	}
	if len(of) == 0 || len(of) > maxMaps {
		return nil, fmt.Errorf("%d maps are no probe", len(of))
	}
	slices.SortStableFunc(of, func(a, b int) int {
		return bytes.Compare(be(symbols[a].Value), be(symbols[b].Value))
	})
	bySymbol = map[int]int{}
	for m, i := range of {
		s := symbols[i]
		if s.Value > uint64(len(data)) || uint64(len(data))-s.Value < mapDefSize {
			return nil, fmt.Errorf("map %q is outside of its section", s.Name)
		}
		u32 := func(n int) uint32 { return binary.LittleEndian.Uint32(data[int(s.Value)+4*n:]) }
		o.maps = append(o.maps, mapDef{s.Name, u32(0), u32(1), u32(2), u32(3), u32(4)})
		bySymbol[i+1] = m // debug/elf leaves out the symbol 0
	}
	return bySymbol, nil
}

func be(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func (o *object) readPrograms(f *elf.File, bySymbol map[int]int) error {
	at := map[uint32]int{} // programs by section
	for i, s := range f.Sections {
		p, ok := parseSection(s.Name)
		if !ok || s.Type != elf.SHT_PROGBITS || s.Size == 0 {
			continue
		}
		code, err := s.Data()
		if err != nil {
			return fmt.Errorf("section %q: %w", s.Name, err)
		}
		if len(code)%insn != 0 {
			return fmt.Errorf("section %q ends within an instruction", s.Name)
		}
		p.code = code
		at[uint32(i)] = len(o.programs)
		o.programs = append(o.programs, p)
	}
	for _, s := range f.Sections {
		i, ok := at[s.Info]
		if !ok || s.Type != elf.SHT_REL {
			continue
		}
		if err := o.programs[i].readRefs(s, bySymbol); err != nil {
			return err
		}
	}
	if len(o.programs) == 0 {
		return fmt.Errorf("no programs: this is no classic probe")
	}
	return nil
}

// relSize is the size of a relocation: u64 offset, u32 type, u32 symbol.
const relSize = 16

func (p *program) readRefs(s *elf.Section, bySymbol map[int]int) error {
	data, err := s.Data()
	if err != nil {
		return fmt.Errorf("section %q: %w", s.Name, err)
	}
	for ; len(data) >= relSize; data = data[relSize:] {
		off, sym := binary.LittleEndian.Uint64(data), binary.LittleEndian.Uint32(data[12:])
		m, ok := bySymbol[int(sym)]
		if !ok {
			return fmt.Errorf("section %q refers to something that is no map", p.section)
		}
		if off%insn != 0 || off > uint64(len(p.code)) || uint64(len(p.code))-off < 2*insn || p.code[off] != loadImm {
			return fmt.Errorf("section %q has a reference at %d, where no map is loaded", p.section, off)
		}
		p.refs = append(p.refs, ref{off, m})
	}
	return nil
}

// parseSection tells what the name of a section says about its program. Several
// programs of one tracepoint are told apart by what follows a &.
func parseSection(name string) (p program, ok bool) {
	p.section = name
	path, _, _ := strings.Cut(name, "&")
	kind, rest, _ := strings.Cut(path, "/")
	if kind != "raw_tracepoint" && kind != "tracepoint" {
		return p, false
	}
	p.raw = kind == "raw_tracepoint"
	group, event, two := strings.Cut(rest, "/")
	switch {
	case two && group == "filler":
		p.filler = event
	case p.raw:
		p.event = rest
	default:
		p.group, p.event = group, event
	}
	return p, p.filler != "" || p.event != ""
}

package procfs

import (
	"bytes"
	"testing"
)

func TestCgroups(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"0::/a b\n", "cpuset=/a b|cpu=/a b|cpuacct=/a b|io=/a b|memory=/a b|"},
		{"5:memory:/m\n4:cpu,cpuacct:/c\n3:blkio:/b\n2:cpuset:/s\n1:name=systemd:/x\n", "cpuset=/s|cpu=/c|cpuacct=/c|io=/b|memory=/m|"},
		{"4:cpu,cpuacct:/c\n0::/u\n", "cpuset=/u|cpu=/c|cpuacct=/c|io=/u|memory=/u|"},
		{"8:pids:/p\n5:memory:/m\n3:net_cls,net_prio:/n\n0::/u\n", "cpuset=/u|cpu=/u|cpuacct=/u|io=/u|memory=/m|net_cls=/n|net_prio=/n|pids=/p|"},
		{"", ""},
		{"nonsense\n", ""},
	} {
		got := bytes.ReplaceAll(Cgroups([]byte(tt.in)), []byte{0}, []byte("|"))
		if string(got) != tt.want {
			t.Errorf("Cgroups(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func FuzzCgroups(f *testing.F) {
	f.Add([]byte("8:pids:/p\n5:memory:/m\n3:net_cls,net_prio:/n\n0::/u\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if list := Cgroups(b); len(list) > MaxCgroups || len(list) > 0 && list[len(list)-1] != 0 {
			t.Errorf("%d bytes, the last %#x", len(list), list[len(list)-1])
		}
	})
}

func FuzzParseStatus(f *testing.F) {
	f.Add([]byte("Name:\tx\nTgid:\t7\nNSpid:\t9\t1\nVmSize:\t  123 kB\nCapEff:\t1ff\n"))
	f.Add([]byte("Uid:\nTgid:\t\nNSpid:\t-1\tx\nVmRSS:\t99999999999999999999 kB\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseStatus(b); err == nil && s.PID <= 0 {
			t.Errorf("process %d", s.PID)
		}
	})
}

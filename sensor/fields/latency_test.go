package fields

import "testing"

// TestHuman wants times as sysdig 0.29.3 writes them.
func TestHuman(t *testing.T) {
	for ns, want := range map[uint64]string{
		0: "0ns", 999: "999ns", 1000: "1.00us", 9999: "9.99us", 10000: "10us", 9994999: "9.99ms", 10000001: "10ms", 999999999: "999ms",
		1e9: "1.00s", 59999999999: "59.99s", 60e9: "1:0", 61500e6: "1:1", 3600e9 - 1: "59:59", 3600e9: "01:00:00", 90061e9: "25:01:01",
		360000e9: "100:00:00",
	} {
		if got := string(appendHuman(nil, ns)); got != want {
			t.Errorf("%d ns: %s, want %s", ns, got, want)
		}
	}
}

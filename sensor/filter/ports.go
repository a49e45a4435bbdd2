package filter

import (
	"fmt"
	"net"
	"strconv"
)

// port reads a port: a number modulo 65536, the name of a service, or nothing
// for 0.
func port(s string) (uint64, error) {
	if s == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		return n % (1 << 16), nil
	}
	for _, network := range []string{"tcp", "udp"} {
		if n, err := net.LookupPort(network, s); err == nil {
			return uint64(n), nil
		}
	}
	return 0, fmt.Errorf("%q is neither a port nor the name of a service", s)
}

package modern

import _ "embed"

//go:generate sh bpf/build.sh x86 probe_amd64.o
//go:generate sh bpf/build.sh arm64 probe_arm64.o

//go:embed probe_amd64.o
var object []byte

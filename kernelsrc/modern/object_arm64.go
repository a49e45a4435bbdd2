package modern

import _ "embed"

//go:embed probe_arm64.o
var object []byte

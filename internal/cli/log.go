package cli

import (
	"fmt"
	"io"
	"os"

	"github.com/rs/zerolog"
)

// Level reads the value of --log-level.
func Level(text string) (zerolog.Level, error) {
	switch text {
	case "debug", "info", "warn", "error":
		return zerolog.ParseLevel(text)
	}
	return zerolog.Disabled, ValueError("log-level", text, "debug, info, warn or error")
}

// Logger makes the log of a program: lines for people on stderr, or lines of
// JSON in a file if it has a name. The function returned closes the file.
func Logger(program string, level zerolog.Level, stderr io.Writer, file string) (zerolog.Logger, func() error, error) {
	if file == "" {
		return zerolog.New(words(program, stderr)).Level(level), func() error { return nil }, nil
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return zerolog.Nop(), nil, fmt.Errorf("--log-file: %w", err)
	}
	return zerolog.New(f).Level(level).With().Timestamp().Logger(), f.Close, nil
}

// words writes a line of the log like all else that the program says on stderr:
//
//	pdig: ring opened layout=A ring=/dev/shm/udig size=8388608
func words(program string, stderr io.Writer) io.Writer {
	return zerolog.ConsoleWriter{
		Out: stderr, NoColor: true,
		PartsOrder:    []string{zerolog.MessageFieldName},
		FormatMessage: func(message any) string { return fmt.Sprintf("%s: %v", program, message) },
	}
}

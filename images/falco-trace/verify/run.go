package verify

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/pdig/pdig/images/archive"
	"github.com/pdig/pdig/internal/cli"
)

// Exit statuses.
const (
	statusRuns  = 0
	statusFails = 1
	statusUsage = 2
)

const usage = `usage: falco-trace verify IMAGE.tar...

Says of images in files (docker save, podman save, an OCI layout in a tar file;
compressed or not) whether the tracer will run in their containers, and what to
write where it will not. The status is 0 if it will in all of them, else 1.
`

// Reader reads the arguments of the role run as the program does in a container with some
// variables, and returns the command behind them. The error is why it would end.
type Reader func(args []string, lookup func(string) (string, bool)) (command []string, err error)

// Run is the command verify; args are what follows its name.
func Run(read Reader, args []string, stdout, stderr io.Writer) int {
	f := cli.NewFlagSet("falco-trace verify")
	help := f.BoolP("help", "h", false, "")
	if err := cli.Parse(f, args); err != nil {
		fmt.Fprintf(stderr, "falco-trace: %v\n", err)
		return statusUsage
	}
	if *help {
		fmt.Fprint(stdout, usage)
		return statusRuns
	}
	if f.NArg() == 0 {
		fmt.Fprintln(stderr, "falco-trace: verify: the name of a file is missing (see falco-trace verify --help)")
		return statusUsage
	}
	status := statusRuns
	for _, name := range f.Args() {
		a, err := archive.Open(name, archive.DefaultLimits)
		if err != nil {
			fmt.Fprintf(stderr, "falco-trace: verify: %s\n", harmless(err.Error()))
			status = statusFails
			continue
		}
		if !show(stdout, name, a, read) {
			status = statusFails
		}
	}
	return status
}

// show prints the verdicts, and whether the tracer runs in all images.
func show(w io.Writer, file string, a *archive.Archive, read Reader) bool {
	all := true
	want := wanted(a.Images)
	for _, img := range a.Images {
		j := examine(a, img, want, read)
		fmt.Fprintf(w, "%s: %s\n", describe(file, img), conclusions[j.verdict()])
		for _, f := range j.findings {
			fmt.Fprintf(w, "  %-8s %s\n", f.verdict.String()+":", harmless(f.what))
			for line := range strings.Lines(f.remedy) {
				fmt.Fprintf(w, "  %-8s %s\n", "remedy:", harmless(strings.TrimSuffix(line, "\n")))
			}
		}
		all = all && j.verdict() < unknown
	}
	for _, p := range a.Absent {
		fmt.Fprintf(w, "%s %s/%s: not in the archive\n", file, printable(p.OS), printable(p.Architecture))
	}
	return all
}

var conclusions = map[verdict]string{
	note:    "the tracer runs",
	warning: "the tracer runs",
	unknown: "whether the tracer runs cannot be told",
	problem: "the tracer does not run",
}

// describe is an image's name and platform, as far as they are known.
func describe(file string, img *archive.Image) string {
	text := file
	if img.Name != "" {
		text += " " + printable(img.Name)
	}
	if p := img.Config.Platform; p.OS != "" {
		text += " " + printable(p.OS) + "/" + printable(p.Architecture)
	}
	return text
}

// harmless is a line that does nothing to a terminal: names of files stand in it as the
// image has them.
func harmless(line string) string {
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return '?'
		}
		return r
	}, line)
}

// printable is a word of the image that is one on a line, too.
func printable(word string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x21 || r > 0x7e {
			return '?'
		}
		return r
	}, word)
}

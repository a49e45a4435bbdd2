package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// snippet is a block of docs/containers.md.
type snippet struct {
	heading, language, text string
	value                   any // of YAML and JSON
}

// snippets reads the document. Blocks that are indented are commands too.
func snippets(t *testing.T) (all []snippet, document string) {
	t.Helper()
	text, err := os.ReadFile("../../../docs/containers.md")
	if err != nil {
		t.Fatal(err)
	}
	heading, fence := "", ""
	for line := range strings.Lines(string(text)) {
		switch {
		case fence != "" && line == "```\n":
			fence = ""
		case fence != "":
			all[len(all)-1].text += line
		case strings.HasPrefix(line, "```"):
			fence = strings.TrimSpace(line[3:])
			all = append(all, snippet{heading: heading, language: fence})
		case strings.HasPrefix(line, "#"):
			heading = strings.TrimSpace(strings.TrimLeft(line, "#"))
		case strings.HasPrefix(line, "    "):
			all = append(all, snippet{heading: heading, language: "sh", text: strings.TrimSpace(line) + "\n"})
		}
	}
	for i := range all {
		s := &all[i]
		switch s.language {
		case "yaml":
			err = yaml.Unmarshal([]byte(s.text), &s.value)
		case "json":
			err = json.Unmarshal([]byte(s.text), &s.value)
		case "sh", "dockerfile", "text":
		default:
			t.Errorf("%s: a block of language %q, which nothing checks", s.heading, s.language)
		}
		if err != nil {
			t.Errorf("%s: %v in\n%s", s.heading, err, s.text)
		}
	}
	return all, string(text)
}

// each calls do with every value of a document and its key.
func each(key string, value any, do func(key string, value any)) {
	do(key, value)
	switch v := value.(type) {
	case map[string]any:
		for key, value := range v {
			each(key, value, do)
		}
	case []any:
		for _, value := range v {
			each(key, value, do)
		}
	}
}

// list is a value that is a list of strings.
func list(value any) (words []string) {
	values, _ := value.([]any)
	for _, v := range values {
		if word, ok := v.(string); ok {
			words = append(words, word)
		}
	}
	return words
}

var (
	instruction = regexp.MustCompile(`(?m)^(?:ENTRYPOINT|CMD) (.*)$`)
	inShell     = regexp.MustCompile(`falco-trace ((?:run|attach|sensor|copy|doctor|verify) .*)`)
)

// commands are the arguments of falco-trace in a snippet.
func (s snippet) commands(t *testing.T) (all [][]string) {
	switch s.language {
	case "yaml", "json":
		each("", s.value, func(key string, value any) {
			switch strings.ToLower(key) {
			case "command", "entrypoint":
				if words := list(value); len(words) > 0 && path.Base(words[0]) == "falco-trace" {
					all = append(all, words[1:])
				}
			}
		})
	case "dockerfile":
		for _, m := range instruction.FindAllStringSubmatch(s.text, -1) {
			var words []string
			if err := json.Unmarshal([]byte(m[1]), &words); err != nil {
				t.Errorf("%s: %s: %v", s.heading, m[0], err)
			} else if path.Base(words[0]) == "falco-trace" {
				all = append(all, words[1:])
			}
		}
	case "sh":
		for _, m := range inShell.FindAllStringSubmatch(s.text, -1) {
			all = append(all, strings.Fields(m[1]))
		}
	}
	return all
}

// TestDocsCommands: the program takes the roles and options that the document shows, and
// has the variables.
func TestDocsCommands(t *testing.T) {
	built := image(t, runtime.GOARCH+"/"+program)
	help := func(args ...string) (string, error) {
		out, err := exec.Command(built, append(args, "--help")...).CombinedOutput()
		return string(out), err
	}
	all, document := snippets(t)
	seen := map[string]int{}
	for _, s := range all {
		for _, args := range s.commands(t) {
			seen[args[0]]++
			if args[0] == "copy" { // the tests with runc run it
				if len(args) != 2 {
					t.Errorf("%s: %q", s.heading, args)
				}
				continue
			}
			// A server whose workers run already would be watched without them.
			if args[0] == "attach" && !slices.Contains(args, "-P") {
				t.Errorf("%s: %q attaches to one process, without its children", s.heading, args)
			}
			options := args
			if i := slices.Index(args, "--"); i >= 0 {
				options = args[:i]
			}
			if out, err := help(options...); err != nil || !strings.HasPrefix(out, "usage: ") {
				t.Errorf("%s: %q: %v, %s", s.heading, args, err, out)
			}
		}
	}
	for _, role := range []string{"run", "attach", "sensor", "copy", "verify"} {
		if seen[role] == 0 {
			t.Errorf("no snippet with %s was found", role)
		}
	}
	text, err := help("run")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile(`FALCO_TRACE_([A-Z_]+)`).FindAllStringSubmatch(document, -1) {
		option := "--" + strings.ToLower(strings.ReplaceAll(name[1], "_", "-"))
		if !regexp.MustCompile(option + `\b`).MatchString(text) {
			t.Errorf("%s: there is no option %s", name[0], option)
		}
	}
	if _, err := help("run", "--nosuch"); err == nil {
		t.Error("the program takes any option")
	}
}

// refused are keys and values that the platforms of a heading do not have, or do not take.
var refused = map[string][]string{
	"Kubernetes":                {"hostPath", "hostPID", "privileged", "add"},
	"OpenShift":                 {"runAsUser", "privileged", "add"},
	"ECS Fargate":               {"ipcMode", "privileged", "devices", "sharedMemorySize", "tmpfs", "dockerSecurityOptions", "dockerVolumeConfiguration"},
	"Cloud Run":                 {"securityContext", "initContainers", "hostPath"},
	"Azure Container Instances": {"securityContext", "privileged", "args"},
}

// TestDocsPlatforms: a snippet has nothing that its platform refuses.
func TestDocsPlatforms(t *testing.T) {
	all, _ := snippets(t)
	found := map[string]int{}
	for _, s := range all {
		if s.value == nil {
			continue
		}
		found[s.heading]++
		each("", s.value, func(key string, value any) {
			if slices.Contains(refused[s.heading], key) {
				t.Errorf("%s: %s is refused", s.heading, key)
			}
			if s.heading == "ECS Fargate" && key == "add" && !slices.Contains([]string{"SYS_PTRACE"}, strings.Join(list(value), ",")) && list(value) != nil {
				t.Errorf("ECS Fargate adds %q", list(value))
			}
		})
	}
	for heading := range refused {
		if found[heading] == 0 {
			t.Errorf("no snippet for %s was found", heading)
		}
	}
	checkVolumes(t, all)
}

// checkVolumes wants each mount to be of a volume, and of all containers the
// directories that their commands name.
func checkVolumes(t *testing.T, all []snippet) {
	t.Helper()
	for _, s := range all {
		volumes := map[string]bool{}
		each("", s.value, func(key string, value any) {
			if entry, ok := value.(map[string]any); ok && key == "volumes" {
				name, _ := entry["name"].(string)
				volumes[name] = true
			}
		})
		each("", s.value, func(_ string, value any) {
			c, _ := value.(map[string]any)
			var mounted []string
			for _, key := range []string{"volumeMounts", "mountPoints"} {
				mounts, _ := c[key].([]any)
				for _, m := range mounts {
					entry, _ := m.(map[string]any)
					name, _ := entry["name"].(string)
					source, _ := entry["sourceVolume"].(string)
					if !volumes[name+source] {
						t.Errorf("%s: there is no volume %q", s.heading, name+source)
					}
					at, _ := entry["mountPath"].(string)
					path, _ := entry["containerPath"].(string)
					mounted = append(mounted, at+path)
				}
			}
			if len(mounted) == 0 {
				return
			}
			words := append(list(c["command"]), list(c["entryPoint"])...)
			for _, at := range mounted {
				if !slices.ContainsFunc(words, func(word string) bool { return word == at || strings.HasPrefix(word, at+"/") }) {
					t.Errorf("%s: nothing uses %s in %q", s.heading, at, words)
				}
			}
		})
	}
}

// TestDocsVerdict: the example of verify is what it prints.
func TestDocsVerdict(t *testing.T) {
	golden, err := os.ReadFile("../verify/testdata/verdicts.txt")
	if err != nil {
		t.Fatal(err)
	}
	all, _ := snippets(t)
	i := slices.IndexFunc(all, func(s snippet) bool { return s.language == "text" })
	_, shown, _ := bytes.Cut([]byte(all[i].text), []byte("\n"))
	if len(shown) == 0 || !bytes.Contains(golden, shown) {
		t.Errorf("verify does not print\n%s", shown)
	}
}

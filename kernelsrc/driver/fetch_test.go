package driver

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFetch: what a repository has is got if nothing else fits, kept only if it is for
// this kernel, and built if there is none.
func TestFetch(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("needs curl, with which drivers are got; CI has it")
	}
	files := map[string][]byte{
		"/driver/7.0.0+driver/x86_64/falco_debian_6.1.0-56-amd64_1.o": probe("5.10.0"),
		"/driver/7.0.0+driver/x86_64/scap_debian_6.1.0-56-amd64_1.o":  probe(kernel.Release),
	}
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if b, ok := files[r.URL.Path]; ok {
			_, _ = w.Write(b)
			return
		}
		http.NotFound(w, r)
	}))
	defer server.Close()
	repo := server.URL + "/driver/7.0.0%2Bdriver/"
	for _, row := range []struct {
		name, repo string
		there      map[string][]byte
		want       []string
		err        error
		asked      int32
	}{
		{"got", repo, nil, []string{
			`REPO/x86_64/falco_debian_6.1.0-56-amd64_1.o: it is for kernel "5.10.0", this is 6.1.0-56-amd64`,
			"REPO/x86_64/scap_debian_6.1.0-56-amd64_1.o: is now /home/.falco/7.0.0+driver/x86_64/scap_debian_6.1.0-56-amd64_1.o",
			"/home/.falco/7.0.0+driver/x86_64/scap_debian_6.1.0-56-amd64_1.o: loaded",
		}, nil, 2},
		{"there already", repo, map[string][]byte{"home/.falco/scap_debian_6.1.0-56-amd64_1.o": probe(kernel.Release)}, []string{
			"/home/.falco/scap_debian_6.1.0-56-amd64_1.o: loaded",
		}, nil, 0},
		{"no repository", "", nil, []string{"no sources in /usr/src (the package falcosecurity-scap-dkms has some)"}, ErrNone, 0},
		{"not there", server.URL + "/other", nil, []string{
			"REPO/x86_64/falco_debian_6.1.0-56-amd64_1.o: curl: (22) The requested URL returned error: 404",
			"REPO/x86_64/scap_debian_6.1.0-56-amd64_1.o: curl: (22) The requested URL returned error: 404",
			"no sources in /usr/src (the package falcosecurity-scap-dkms has some)",
		}, ErrNone, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			asked.Store(0)
			c, said := place(t, Probe, row.there)
			c.Repo, c.Dirs = row.repo, nil
			if err := Load(c); !errors.Is(err, row.err) {
				t.Errorf("got %v, want %v", err, row.err)
			}
			for i, line := range *said {
				(*said)[i] = strings.ReplaceAll(line, strings.TrimRight(row.repo, "/")+"/x86", "REPO/x86")
			}
			if diff := cmp.Diff(row.want, *said); diff != "" || asked.Load() != row.asked {
				t.Errorf("asked %d times, want %d\n%s", asked.Load(), row.asked, diff)
			}
		})
	}
}

// TestFetchNames: Ubuntu's kernels have a flavour, which is in the name.
func TestFetchNames(t *testing.T) {
	c := Config{Kernel: Kernel{Release: "6.8.0-51-generic", Target: "ubuntu"}}
	if got := c.target(); got != "ubuntu-generic" {
		t.Errorf("got %s", got)
	}
}

func probe(release string) []byte { return object("kernel_version", release+"\x00") }

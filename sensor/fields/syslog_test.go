package fields

import "testing"

// TestSyslog wants what sysdig 0.29.3 makes of messages.
func TestSyslog(t *testing.T) {
	for data, want := range map[string]string{
		"<38>Nov 26 su: hello":   "4 auth 6 info Nov 26 su: hello",
		"<0>zero":                "0 kern 0 emerg zero",
		"<191>":                  "23 local7 7 debug ",
		"<192>x":                 "24 <NA> 0 emerg x",
		"<00038>five":            "4 auth 6 info five",
		"<7>a\x00b":              "0 kern 7 debug a",
		"no priority":            "<NA> <NA> <NA> <NA> <NA>",
		"<>e":                    "<NA> <NA> <NA> <NA> <NA>",
		"<12":                    "<NA> <NA> <NA> <NA> <NA>",
		"<1a>z":                  "<NA> <NA> <NA> <NA> <NA>",
		"<18446744073709551617>": "<NA> <NA> <NA> <NA> <NA>",
		"":                       "<NA> <NA> <NA> <NA> <NA>",
	} {
		e, play := player(t)
		f, err := NewFormat("*%syslog.facility %syslog.facility.str %syslog.severity %syslog.severity.str %syslog.message", NewSet(e))
		if err != nil {
			t.Fatal(err)
		}
		play(rec(t, now, openatX, 3, -100, "/dev/log", 2, 0, 0, 0))
		play(rec(t, now, writeE, 3, len(data)))
		if got, _ := f.Append(nil); string(got) != "<NA> <NA> <NA> <NA> <NA>" {
			t.Errorf("%q has %q where the call begins", data, got)
		}
		play(rec(t, now, writeX, len(data), []byte(data)))
		if got, _ := f.Append(nil); string(got) != want {
			t.Errorf("%q has %q, want %q", data, got, want)
		}
		play(rec(t, now, writeX, -11, []byte(data)))
		if got, _ := f.Append(nil); string(got) != "<NA> <NA> <NA> <NA> <NA>" {
			t.Errorf("%q has %q where the call has failed", data, got)
		}
	}
}

// TestLogInfo wants a message in the place of the parameters, as sysdig 0.29.3 has it.
func TestLogInfo(t *testing.T) {
	e, play := player(t)
	f, err := NewFormat("%evt.info|%evt.args", NewSet(e))
	if err != nil {
		t.Fatal(err)
	}
	play(rec(t, now, openatX, 3, -100, "/dev/log", 2, 0, 0, 0))
	for _, row := range []struct {
		res        int
		data, want string
	}{
		{9, "<13>hi\nyou", "syslog sev=notice msg=hi\\nyou|res=9 data=<13>hi.you "},
		{3, "<199>\xff", "syslog sev=debug msg=\xff|res=3 data=<199>. "},
		{-11, "<13>hi", "res=-11(EAGAIN) data=<13>hi |res=-11(EAGAIN) data=<13>hi "},
		{2, "hi", "res=2 data=hi |res=2 data=hi "},
	} {
		play(rec(t, now, writeE, 3, len(row.data)))
		play(rec(t, now, writeX, row.res, []byte(row.data)))
		got, _ := f.Append(nil)
		if string(got) != row.want {
			t.Errorf("%q has %q, want %q", row.data, got, row.want)
		}
		if n := testing.AllocsPerRun(100, func() { got, _ = f.Append(got[:0]) }); n != 0 {
			t.Errorf("%q: %v allocations", row.data, n)
		}
	}
}

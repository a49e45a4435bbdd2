package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// conversion is a line of newest.txt.
type conversion struct {
	code, params int
	what         string // the Go constant
	to           int
	values       []string // Go literals
}

var conversionConst = map[string]string{"keep": "Keep", "pass": "Pass", "keep,pass": "KeepPass", "fill": "Fill", "json": "ContainerJSON"}

func (t *tables) addConversion(f []string) (err error) {
	var c conversion
	if c.code, err = strconv.Atoi(f[0]); err != nil {
		return err
	}
	if c.params, err = strconv.Atoi(f[1]); err != nil {
		return err
	}
	if c.to = c.code; conversionConst[f[2]] == "" {
		if c.to, err = strconv.Atoi(f[2]); err != nil {
			return err
		}
		c.what = "Become"
	} else {
		c.what = conversionConst[f[2]]
	}
	if c.code >= len(t.events) || c.to >= len(t.events) || c.code&1 != c.to&1 {
		return fmt.Errorf("code %d cannot become %d", c.code, c.to)
	}
	if c.what == "Fill" {
		for i := range c.params {
			c.values = append(c.values, fmt.Sprintf("{OfEvent, %d}", i))
		}
	}
	for _, text := range f[3:] {
		v, err := t.conversionValue(&c, text)
		if err != nil {
			return err
		}
		c.values = append(c.values, v)
	}
	if n := len(t.events[c.to].params); len(c.values) > n {
		return fmt.Errorf("%d values, code %d has %d parameters", len(c.values), c.to, n)
	}
	t.conversions = append(t.conversions, c)
	return nil
}

// conversionValue is the literal of one value.
func (t *tables) conversionValue(c *conversion, text string) (string, error) {
	switch text {
	case "zero":
		return "{OfZero, 0}", nil
	case "-":
		return "{OfNothing, 0}", nil
	}
	kind, most := "OfEvent", c.params
	digits, lax := strings.CutSuffix(text[1:], "?")
	switch {
	case text[0] == 'e' && c.code&1 == 1:
		if kind, most = "OfEnter", len(t.events[c.code-1].params); lax {
			kind = "OfEnterOrNothing"
		}
	case text[0] != 'o' || lax:
		return "", fmt.Errorf("unknown value %q", text)
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || n >= most {
		return "", fmt.Errorf("no parameter for the value %q", text)
	}
	return fmt.Sprintf("{%s, %d}", kind, n), nil
}

func writeConversions(b *bytes.Buffer, t *tables) {
	b.WriteString("// conversions are those of an event code.\nvar conversions = [NumEvents][]Conversion{\n")
	for i, c := range t.conversions {
		if i == 0 || t.conversions[i-1].code != c.code {
			fmt.Fprintf(b, "%d: {\n", c.code)
		}
		fmt.Fprintf(b, "{Params: %d, Do: %s, To: %d", c.params, c.what, c.to)
		if c.values != nil {
			fmt.Fprintf(b, ", Values: []Value{%s}", strings.Join(c.values, ", "))
		}
		b.WriteString("},\n")
		if i+1 == len(t.conversions) || t.conversions[i+1].code != c.code {
			b.WriteString("},\n")
		}
	}
	b.WriteString("}\n")
}

package plain_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/jobeffekt/jobeffekt/internal/plain"
)

func TestPlain(t *testing.T) {
	for text, want := range map[string][2]string{
		"":                                {"", ""},
		"Ærøskøbing & 北京 😀 <b> =1":        {"Ærøskøbing & 北京 😀 <b> =1", "Ærøskøbing & 北京 😀 <b> =1"},
		"a\nb":                            {"a?b", "a\nb"},
		"a\r\nb":                          {"a?b", "a\nb"},
		"a\rb\tc\x00d\x1b[31me":           {"a?b?c?d?[31me", "a?b?c?d?[31me"},
		"\u202edrow\u2066\u200b\ufeff":    {"?drow???", "?drow???"},
		"line\u2028paragraph\u2029\u0085": {"line?paragraph??", "line?paragraph??"},
		"bad\xff\xfeutf8":                 {"bad?utf8", "bad?utf8"},
	} {
		assert.Equal(t, want, [2]string{plain.Line(text), plain.Lines(text)}, "%q", text)
	}
}

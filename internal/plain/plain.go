// Package plain shows texts of the data where they can do no harm. What moves a cursor, turns
// the direction of a line or has no width (the categories Cc, Cf, Zl and Zp of Unicode) becomes
// a question mark, and so do bytes that are no UTF-8.
package plain

import (
	"strings"
	"unicode"
)

// Line is a text on one line: a line break becomes a question mark too.
func Line(s string) string { return strings.ReplaceAll(Lines(s), "\n", "?") }

// Lines is a text with its line breaks, those of other systems as \n.
func Lines(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return '?'
		}
		return r
	}, strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "\r\n", "\n"))
}

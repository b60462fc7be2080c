package jobeffekt

import (
	"cmp"
	"strings"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"
)

// danish returns the order of names in a Danish list: æ, ø and å come last, aa
// counts as å (Aabenraa, Aalborg and Aarhus after Ærø), ü as y, and Vejle comes
// before Vejle Ø. Letters of either case count the same; names that differ in
// nothing else go by their bytes, capitals first. (The library alone has capitals
// last, which is not Danish.) The function is not for concurrent use.
func danish() func(a, b string) int {
	c := collate.New(language.Danish)
	return func(a, b string) int {
		return cmp.Or(c.CompareString(strings.ToLower(a), strings.ToLower(b)), strings.Compare(a, b))
	}
}

package effect

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Class is one declared classification: a covariate of names, or one of numbers
// cut at ascending points. Cuts 30 and 50 make the classes "<30", "30-<50" and
// ">=50". A missing value is the class [MissingClass].
type Class struct {
	Covariate string
	Cuts      []float64
}

// MissingClass is the label of a missing value.
const MissingClass = "missing"

// Classifier numbers cases, and aggregated outcomes, by their joint classes. It
// is read-only once made.
type Classifier struct {
	classes []Class
	columns []*Covariate
	labels  [][]string // per class, by code
}

// Classify prepares to classify the cases by the classes; by none of them, all
// cases are alike. It is an error when a covariate is not there, a number has no
// cuts or cuts that do not ascend, or names are to be cut.
func Classify(cases *Cases, classes []Class) (*Classifier, error) {
	cl := &Classifier{classes: classes}
	for _, class := range classes {
		col, ok := cases.Covariate(class.Covariate)
		switch {
		case !ok:
			return nil, fmt.Errorf("effect: the cases have no covariate %q", class.Covariate)
		case col.Number != nil && len(class.Cuts) == 0:
			return nil, fmt.Errorf("effect: covariate %q is a number; give the cuts of its classes", class.Covariate)
		case col.Number == nil && len(class.Cuts) > 0:
			return nil, fmt.Errorf("effect: covariate %q has names and cannot be cut", class.Covariate)
		case !slices.IsSorted(class.Cuts):
			return nil, fmt.Errorf("effect: the cuts of %q must ascend", class.Covariate)
		}
		labels := slices.Clone(col.Factor.Levels)
		for k := range class.Cuts {
			if k == 0 {
				labels = append(labels, "<"+number(class.Cuts[0]))
			} else {
				labels = append(labels, number(class.Cuts[k-1])+"-<"+number(class.Cuts[k]))
			}
		}
		if n := len(class.Cuts); n > 0 {
			labels = append(labels, ">="+number(class.Cuts[n-1]))
		}
		cl.columns = append(cl.columns, col)
		cl.labels = append(cl.labels, append(labels, MissingClass))
	}
	return cl, nil
}

func number(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// code returns the code of case i in class k.
func (cl *Classifier) code(k int, i int32) int {
	col, missing := cl.columns[k], len(cl.labels[k])-1
	if col.Number == nil {
		if c := col.Factor.Codes[i]; c >= 0 {
			return int(c)
		}
		return missing
	}
	x := col.Number[i]
	if math.IsNaN(x) {
		return missing
	}
	c, exact := slices.BinarySearch(cl.classes[k].Cuts, x)
	if exact {
		c++
	}
	return c
}

// Key numbers the joint class of case i: cases of the same classes have the same
// key. Keys are 0 or more, in the order of the classes' labels, and not
// consecutive.
func (cl *Classifier) Key(i int32) int {
	key := 0
	for k := range cl.classes {
		key = key*len(cl.labels[k]) + cl.code(k, i)
	}
	return key
}

// Labels are the labels of case i, in the order of the classes.
func (cl *Classifier) Labels(i int32) []string {
	var out []string
	for k := range cl.classes {
		out = append(out, cl.labels[k][cl.code(k, i)])
	}
	return out
}

// KeyOf numbers the joint class with the labels; ok is false when one is a name
// that no case has. A class of numbers that the cuts do not make is an error: it
// was made with other cuts.
func (cl *Classifier) KeyOf(labels []string) (key int, ok bool, err error) {
	if len(labels) != len(cl.classes) {
		return 0, false, fmt.Errorf("effect: aggregated outcomes have %d classes where %d are declared", len(labels), len(cl.classes))
	}
	ok = true
	for k, class := range cl.classes {
		c := slices.Index(cl.labels[k], labels[k])
		if c < 0 && len(class.Cuts) > 0 {
			return 0, false, fmt.Errorf("effect: aggregated outcomes have the class %q of %s, where the declared cuts make %s",
				labels[k], class.Covariate, strings.Join(cl.labels[k], ", "))
		}
		ok = ok && c >= 0
		key = key*len(cl.labels[k]) + c
	}
	return key, ok, nil
}

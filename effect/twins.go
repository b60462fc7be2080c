package effect

import (
	"context"
	"slices"
)

// twins are the comparisons of one cell, method and kind of covariates, outcome after
// outcome. Where the same people's windows are complete, what does not depend on the
// outcome is worked out once: with the same operations, so that no figure moves.
type twins struct {
	seen []*Comparison
}

// shared is what comparisons of the same people have together. They are made one after
// another, by one method.
type shared struct {
	made map[any]any
	// answers are those to the same outcome, as the placebo's is.
	answers []answered
	// checked is the balance that some weights reached.
	checked []checked
}

type answered struct {
	y   *float64 // the first place of the outcome
	e   Expectation
	err error
}

type checked struct {
	in, out []int32
	weights []float64
	reached imbalance
}

// of returns the comparison, tied to an earlier one of the same people.
func (t *twins) of(c *Comparison) *Comparison {
	for _, other := range t.seen {
		if other.Comparators == c.Comparators && other.Repeats == c.Repeats && slices.Equal(other.In, c.In) && slices.Equal(other.Out, c.Out) {
			c.In, c.Out, c.shared = other.In, other.Out, other.shared
			return c
		}
	}
	c.shared = &shared{made: map[any]any{}}
	t.seen = append(t.seen, c)
	return c
}

// expect asks the method, but for an outcome that it was asked about already.
func (t *twins) expect(ctx context.Context, m Method, c *Comparison) (Expectation, error) {
	if c.shared == nil || len(c.Strata) > 0 {
		return m.Expect(ctx, c)
	}
	for _, a := range c.shared.answers {
		if a.y == &c.Y[0] {
			return a.e, a.err
		}
	}
	e, err := m.Expect(ctx, c)
	e.Warnings = slices.Clip(e.Warnings)
	if _, refused := AsRefusal(err); err == nil || refused {
		c.shared.answers = append(c.shared.answers, answered{&c.Y[0], e, err})
	}
	return e, err
}

// Once is what make returns for the first of the comparisons of the same people that
// asks for key; the others get the same, and must not change it. What it makes may
// depend on anything but the outcome. Keys are compared, so that a type of the caller's
// own keeps them apart.
func (c *Comparison) Once(key any, make func() any) any {
	if c.shared == nil {
		return make()
	}
	v, ok := c.shared.made[key]
	if !ok {
		v = make()
		c.shared.made[key] = v
	}
	return v
}

// reached is the balance of weights, worked out once for the same.
func (c *Comparison) reached(ctx context.Context, uses []string, in, out []int32, weights []float64) imbalance {
	if c.shared == nil {
		return c.measures(uses).balance(ctx, in, out, weights)
	}
	for _, k := range c.shared.checked {
		if slices.Equal(k.in, in) && slices.Equal(k.out, out) && slices.Equal(k.weights, weights) {
			return k.reached
		}
	}
	r := c.measures(uses).balance(ctx, in, out, weights)
	c.shared.checked = append(c.shared.checked, checked{in, out, weights, r})
	return r
}

// Package beforeafter compares units (municipalities, counties) before and
// after a change with units that did not change: difference-in-differences by
// group and time ([DiD]) and synthetic control.
//
// Both start from a [Panel]: one number for every unit and period. Both rest on
// an assumption about what would have happened without the change, which no
// data can show to be true. A test of the time before that finds nothing proves
// nothing.
package beforeafter

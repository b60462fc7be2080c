// Package dream turns the weekly panel of DREAM, the Danish register of public
// benefits, into spells of the data contract.
//
// The panel has a row for each person, a benefit code for each week (y_YYWW) and,
// for each month, the industry (branche_YYYY_MM) and the employment degree
// (grad_YYYY_MM) of the person's wages. A week is an ISO week, from Monday to the
// Monday after, and belongs to the month of its Thursday. What a code means, what
// an empty week means and whether work beside a benefit counts is said by a [Map],
// never by this code.
//
// [Convert] reads the panel column by column for some hundred thousand persons at
// a time: its memory does not grow with the number of persons.
package dream

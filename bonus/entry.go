package bonus

import "github.com/jobeffekt/jobeffekt/effect"

// Entry is a case that stands behind a line, and with how much.
type Entry struct {
	Line          string      `col:"line" doc:"line that the case counts in"`
	Participation string      `col:"participation_id" doc:"case"`
	On            effect.Date `col:"on_day" doc:"day of what is counted"`
	Quantity      string      `col:"quantity" doc:"how much of the line's quantity it is, exactly; negative for what is taken back"`
}

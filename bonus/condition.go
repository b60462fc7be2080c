package bonus

// Conditions say for which cases a clause pays. All must hold.
//
// A new condition is a field here, and its test where the cases are judged (or,
// for one that is about a package, in allow).
type Conditions struct {
	JobOriented *bool `yaml:"job_oriented,omitempty" doc:"only packages that are (true) or are not (false) job-oriented"`
}

// allow says whether cases in a package can be paid for.
func (c *Conditions) allow(p *OfferPackage) bool {
	return c.JobOriented == nil || *c.JobOriented == *p.JobOriented
}

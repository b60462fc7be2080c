package bonus

// Conditions say for which cases a clause pays. All must hold.
//
// A condition about a package is a field here and its test in allow. One about a
// case needs two places more, which must agree: judgeCases, where each case gets
// its rule, and shares in effects.go, where the cases behind an effect are split
// into what the terms treat alike, so that an effect that mixes cases inside and
// outside the condition is a fault and not paid.
type Conditions struct {
	JobOriented *bool `yaml:"job_oriented,omitempty" doc:"only packages that are (true) or are not (false) job-oriented"`
}

// allow says whether cases in a package can be paid for.
func (c *Conditions) allow(p *OfferPackage) bool {
	return c.JobOriented == nil || *c.JobOriented == *p.JobOriented
}

package report

// effects is not made yet.
func (b *builder) effects() (section, bool) { return section{}, false }

package report

// gaming is not made yet.
func (b *builder) gaming() (section, bool) { return section{}, false }

package report

// term is not made yet.
func (b *builder) term() (section, bool) { return section{}, false }

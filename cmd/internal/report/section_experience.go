package report

// experience is not made yet.
func (b *builder) experience() (section, bool) { return section{}, false }

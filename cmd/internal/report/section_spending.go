package report

// spending is not made yet.
func (b *builder) spending() (section, bool) { return section{}, false }

package report

// attrition is not made yet.
func (b *builder) attrition() (section, bool) { return section{}, false }

package report

// methods is the last section: how the figures were made, what they cannot tell, and what
// this run has nothing of.
func (b *builder) methods(without []string) section {
	return section{ID: "methods", Title: b.T("methods.title"), Lead: b.T("methods.without", "list", b.l.List(without))}
}

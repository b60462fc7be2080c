package report

// providerPages are the pages of the providers that are asked for.
func (b *builder) providerPages() []file { return nil }

package world

// Draws are the numbers of one stream of one subject: the n-th is a hash of
// (seed, stream, subject, n), so that what is drawn for a subject does not depend
// on what else is drawn, or in which order.
type Draws struct{ draws }

// NewDraws starts a stream of a subject.
func NewDraws(seed, stream, subject uint64) Draws {
	return Draws{draws{key: mix(mix(mix(seed)+stream) + subject)}}
}

// At is the n-th number, uniform on the multiples of 2^-53 in [0, 1).
func (d Draws) At(n uint64) float64 { return d.draws.at(n) }

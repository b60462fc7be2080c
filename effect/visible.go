package effect

// Visible returns the share of the variation between k municipalities that an
// adjustment leaves in their mean residuals. lost(j, l) is how much of an effect
// of municipality l the adjustment takes out of the mean residual of j: the
// residuals are d = (I - lost) b for effects b. With C centring over
// municipalities it is
//
//	|C (I - lost)|^2 / (k - 1)
//
// which is 1 when all municipalities have the same mix. It is 1 for k < 2.
func Visible(k int, lost func(j, l int) float64) float64 {
	if k < 2 {
		return 1
	}
	m := make([][]float64, k)
	for j := range m {
		m[j] = make([]float64, k)
		for l := range m[j] {
			m[j][l] = -lost(j, l)
		}
		m[j][j]++
	}
	sum := 0.0
	for l := range k {
		mean := 0.0
		for j := range k {
			mean += m[j][l] / float64(k)
		}
		for j := range k {
			sum += float64((m[j][l] - mean) * (m[j][l] - mean))
		}
	}
	return sum / float64(k-1)
}

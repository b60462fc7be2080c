package jobeffekt

import "slices"

// TableInfo is what there is to know of a result table beside its columns.
type TableInfo struct {
	Name string
	Step Step // that writes it
	// About says in a sentence what the table holds.
	About string
	// Key are the columns that tell its rows apart. Rows that are the same in all of them, as
	// two days of one case, are told apart by their order.
	Key []string

	onRequest bool // written only where the run file or terms ask for it, or the dataset has what it is made of
}

// ResultTables are the tables that any run writes, in the order of the steps.
func ResultTables() []TableInfo {
	cell := func(more ...string) []string {
		return append([]string{"outcome", "municipality", "match_scheme", "match_group", "provider_id", "package_id"}, more...)
	}
	// Creaming and what goes with it are told of all packages together.
	provider := func(more ...string) []string {
		return append([]string{"municipality", "match_scheme", "match_group", "provider_id"}, more...)
	}
	return []TableInfo{
		{Name: TableRejects, Step: StepMeasure, About: "Rows of the input that could not be used, and why", Key: []string{"table", "file", "row", "column"}},
		{Name: TableCounts, Step: StepMeasure, About: "How many rows of each input table were read, passed over and rejected", Key: []string{"table", "count", "rule"}},
		{Name: TableAttrition, Step: StepMeasure, About: "From the participations read to those analysed, step by step, for each cell", Key: cell("step", "reason")},
		{Name: TableProviders, Step: StepMeasure, About: "Who the providers are, when, in which consortium, and how many referrals belong to each line", Key: []string{"provider_id", "valid_from", "valid_to", "problem"}},
		{Name: TableCrosswalk, Step: StepMeasure, About: "Match groups that were moved to another scheme", Key: []string{"table", "from_scheme", "from_group"}, onRequest: true},
		{Name: TableCases, Step: StepMeasure, About: "One row a participation: who, where, and what was known at the referral", Key: []string{"participation_id"}},
		{Name: TableCovariates, Step: StepMeasure, About: "What was adjusted for, and whether it is dated", Key: []string{"covariate"}},
		{Name: TableCells, Step: StepMeasure, About: "Every cell (provider, match group, municipality, package): cases and plain means, compared with nobody", Key: append(cell()[1:], "kind", "name")},
		{Name: TableOutcomes, Step: StepMeasure, About: "One row a participation and outcome: what became of it", Key: []string{"outcome", "participation_id"}},
		{Name: TableDates, Step: StepMeasure, About: "Days on which outcomes counted, case by case", Key: []string{"outcome", "participation_id", "on"}, onRequest: true},
		{Name: TableSignals, Step: StepMeasure, About: "One row a participation: signals of gaming", Key: []string{"participation_id"}, onRequest: true},
		// Classes are columns that the run file names: all that is not counted or summed.
		{Name: TablePeerStrata, Step: StepMeasure, About: "Outcomes of participations summed in strata, in the form in which another municipality can use them", Key: []string{"municipality", "match_scheme", "match_group", "outcome", "period", restOfKey, "n", "sum", "sum_squares"}},
		{Name: TableControls, Step: StepMeasure, About: "People on benefit without an offer, in the form of cases", Key: []string{"participation_id"}, onRequest: true},
		{Name: TableControlled, Step: StepMeasure, About: "What became of people on benefit without an offer", Key: []string{"outcome", "participation_id"}, onRequest: true},
		{Name: TableFigures, Step: StepMeasure, About: "Figures about providers that terms can look at", Key: []string{"figure", "provider_id", "period"}, onRequest: true},
		{Name: TableEvidence, Step: StepMeasure, About: "Documents received about participations", Key: []string{"participation_id", "kind", "received_on"}, onRequest: true},
		{Name: TablePeers, Step: StepEstimate, About: "Which municipalities each municipality is compared with, and how near they are", Key: []string{"municipality", "peer"}},
		{Name: TablePeerValues, Step: StepEstimate, About: "The framework conditions of each municipality beside those of its peers", Key: []string{"municipality", "peer", "condition"}},
		{Name: TableStability, Step: StepEstimate, About: "Which peers would stay if one framework condition were left out", Key: []string{"municipality", "left_out"}},
		{Name: TableEstimates, Step: StepEstimate, About: "Every comparison of a cell with similar citizens elsewhere, with all that certifies it", Key: cell("method", "comparators", "support")},
		{Name: TableBenchmark, Step: StepBenchmark, About: "The difference of each cell from similar citizens, split into municipality and provider, with interval and verdict", Key: cell("method", "part")},
		{Name: TableDiagnostics, Step: StepBenchmark, About: "What was measured of how far each difference can be trusted", Key: cell("method", "part", "diagnostic")},
		{Name: TableComparison, Step: StepBenchmark, About: "Citizens seen together: all of a municipality, own projects and providers, consortia, periods; with interval and verdict", Key: []string{"view", "of", "period", "outcome", "municipality", "match_scheme", "match_group", "package_id", "method", "part"}},
		{Name: TableSpending, Step: StepBenchmark, About: "What was spent, beside the citizens it paid for and their effects", Key: []string{"municipality", "year", "channel", "match_scheme"}, onRequest: true},
		{Name: TableProfile, Step: StepBenchmark, About: "Many cells at once: funnel, shrinkage, p-values of a family", Key: cell("method", "part")},
		{Name: TableLeague, Step: StepBenchmark, About: "Ranks of a municipality's providers on one common target, with their intervals", Key: cell()},
		{Name: TableSensitivity, Step: StepBenchmark, About: "The same differences looked at in other ways", Key: cell("part", "variation", "what")},
		{Name: TableCurves, Step: StepBenchmark, About: "Time to job: cumulative incidence by day and cause", Key: cell("cause", "day")},
		{Name: TableCreaming, Step: StepBenchmark, About: "Whether a provider's citizens were easier than others, at referral, start and completion", Key: provider("outcome", "stage", "compared_with")},
		{Name: TableDeciles, Step: StepBenchmark, About: "Starts, completions and outcomes by how likely the citizens were to succeed", Key: provider("outcome", "decile")},
		{Name: TableParking, Step: StepBenchmark, About: "Whether the hardest citizens fall behind at a provider", Key: provider("outcome")},
		{Name: TableIndicators, Step: StepBenchmark, About: "Indicators of gaming, counted beside those of others", Key: provider("indicator", "compared_with")},
		{Name: TableRanking, Step: StepBenchmark, About: "Municipalities by a share less what is expected by framework conditions", Key: []string{"ranking", "year", "municipality"}, onRequest: true},
		{Name: TableBeforeAfter, Step: StepBenchmark, About: "Before and after a change, or why that cannot be told", Key: []string{"outcome", "match_scheme", "match_group", "kind", "overall", "group", "period", "event_time", "municipality"}, onRequest: true},
		{Name: TableSynthetic, Step: StepBenchmark, About: "A changed municipality beside a synthetic one made of others", Key: []string{"outcome", "match_scheme", "match_group", "unit"}, onRequest: true},
		{Name: TableGaps, Step: StepBenchmark, About: "Observed and synthetic outcome by period", Key: []string{"outcome", "match_scheme", "match_group", "unit", "period"}, onRequest: true},
		{Name: TableDonors, Step: StepBenchmark, About: "Of whom the synthetic municipality is made", Key: []string{"outcome", "match_scheme", "match_group", "unit", "donor"}, onRequest: true},
		{Name: TablePlacebos, Step: StepBenchmark, About: "The same for municipalities without the change", Key: []string{"outcome", "match_scheme", "match_group", "unit", "placebo"}, onRequest: true},
		{Name: TableSettlement, Step: StepSettle, About: "Lines of the results bonus: what each clause pays each provider, and why not", Key: []string{"line"}},
		{Name: TableEntries, Step: StepSettle, About: "Which cases count in each line, and on which day", Key: []string{"line", "participation_id", "on"}},
		{Name: TableSteps, Step: StepSettle, About: "How each line of the settlement was worked out, step by step", Key: []string{"line", "step"}},
		{Name: TableGate, Step: StepSettle, About: "What the gate of each line measured, and whether it lets the line be paid", Key: []string{"line", "diagnostic"}},
		{Name: TableCounted, Step: StepSettle, About: "How many cases counted under each clause, and by which rule the others did not", Key: []string{"agreement_id", "clause", "municipality", "match_scheme", "match_group", "provider_id", "package_id", "rule"}},
		{Name: TableCaseLines, Step: StepSettle, About: "For each case and clause the line it counts in, or the rule by which it does not", Key: []string{"participation_id", "clause"}},
		{Name: TableCarried, Step: StepSettle, About: "What is carried to a later settlement", Key: []string{"agreement_id", "provider_id"}, onRequest: true},
		{Name: TableDecisions, Step: StepSettle, About: "Decisions of terms that pay nothing, as who is dropped", Key: []string{"decision"}, onRequest: true},
		{Name: TableUpkeep, Step: StepSettle, About: "What is left of each agreement's volume, ceiling and term", Key: []string{"agreement_id", "what", "of"}, onRequest: true},
		{Name: TableFollowUp, Step: StepSettle, About: "Satisfaction, inspections and verdicts beside what each provider earned", Key: []string{"agreement_id", "provider_id", "period"}, onRequest: true},
		{Name: TableGatePreview, Step: StepSettle, About: "Of a blinded run: what the gates would say of each line", Key: []string{"line", "diagnostic"}},
	}
}

// ResultTable is what there is to know of the table of a name; false where neither a run nor
// a publication has one.
func ResultTable(name string) (TableInfo, bool) {
	all := append(ResultTables(), publishedTables()...)
	i := slices.IndexFunc(all, func(t TableInfo) bool { return t.Name == name })
	if i < 0 {
		return TableInfo{}, false
	}
	return all[i], true
}

// publishedTables are the tables that a [Publication] has beside those of a run.
func publishedTables() []TableInfo {
	return []TableInfo{{
		Name: TablePaid, Step: StepSettle, About: "What the lines of the results bonus add up to, by agreement, provider and period, and in all", Key: []string{"agreement_id", "provider_id", "period"},
	}}
}

// restOfKey stands in a key for every column that the key does not name; those named after
// it are none of the key.
const restOfKey = "*"

// KeyOf are the names of the columns of a table that tell its rows apart, of those that it
// has: [TableInfo.Key] with the columns that a run file names.
func (t TableInfo) KeyOf(columns []string) []string {
	at := slices.Index(t.Key, restOfKey)
	var out []string
	for _, c := range columns {
		in := slices.Contains(t.Key, c)
		if at >= 0 {
			in = !slices.Contains(t.Key[at+1:], c) && c != SuppressedColumn
		}
		if in {
			out = append(out, c)
		}
	}
	return out
}

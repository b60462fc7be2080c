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
}

// ResultTables are the tables that any run writes, in the order of the steps.
func ResultTables() []TableInfo {
	var out []TableInfo
	for _, s := range steps() {
		for _, name := range resultsOf(s, false) {
			out = append(out, TableInfo{name, s, aboutTable(name), keyOfTable(name)})
		}
	}
	return append(out, TableInfo{TableGatePreview, StepSettle, aboutTable(TableGatePreview), keyOfTable(TableGatePreview)})
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
		TablePaid, StepSettle, "What the lines of the results bonus add up to, by agreement, provider and period, and in all", []string{"agreement_id", "provider_id", "period"},
	}}
}

// keyOfTable are the columns that tell the rows of a table apart.
func keyOfTable(name string) []string {
	cell := func(more ...string) []string {
		return append([]string{"outcome", "municipality", "match_scheme", "match_group", "provider_id", "package_id"}, more...)
	}
	// Creaming and what goes with it are told of all packages together.
	provider := func(more ...string) []string {
		return append([]string{"municipality", "match_scheme", "match_group", "provider_id"}, more...)
	}
	switch name {
	case TableRejects:
		return []string{"table", "file", "row", "column"}
	case TableCounts:
		return []string{"table", "count", "rule"}
	case TableAttrition:
		return cell("step", "reason")
	case TableProviders:
		return []string{"provider_id", "valid_from", "valid_to", "problem"}
	case TableCrosswalk:
		return []string{"table", "from_scheme", "from_group"}
	case TableCases, TableSignals, TableControls:
		return []string{"participation_id"}
	case TableCovariates:
		return []string{"covariate"}
	case TableCells:
		return append(cell()[1:], "kind", "name")
	case TableOutcomes, TableControlled:
		return []string{"outcome", "participation_id"}
	case TableDates:
		return []string{"outcome", "participation_id", "on"}
	case TablePeerStrata:
		// Classes are columns that the run file names: all that is not counted or summed.
		return []string{"municipality", "match_scheme", "match_group", "outcome", "period", restOfKey, "n", "sum", "sum_squares"}
	case TableFigures:
		return []string{"figure", "provider_id", "period"}
	case TableEvidence:
		return []string{"participation_id", "kind", "received_on"}
	case TablePeers:
		return []string{"municipality", "peer"}
	case TablePeerValues:
		return []string{"municipality", "peer", "condition"}
	case TableStability:
		return []string{"municipality", "left_out"}
	case TableEstimates:
		return cell("method", "comparators", "support")
	case TableBenchmark, TableProfile:
		return cell("method", "part")
	case TableDiagnostics:
		return cell("method", "part", "diagnostic")
	case TableComparison:
		return []string{"view", "of", "period", "outcome", "municipality", "match_scheme", "match_group", "package_id", "method", "part"}
	case TableSpending:
		return []string{"municipality", "year", "channel", "match_scheme"}
	case TableLeague:
		return cell()
	case TableSensitivity:
		return cell("part", "variation", "what")
	case TableCurves:
		return cell("cause", "day")
	case TableCreaming:
		return provider("outcome", "stage", "compared_with")
	case TableDeciles:
		return provider("outcome", "decile")
	case TableParking:
		return provider("outcome")
	case TableIndicators:
		return provider("indicator", "compared_with")
	case TableRanking:
		return []string{"ranking", "year", "municipality"}
	case TableBeforeAfter:
		return []string{"outcome", "match_scheme", "match_group", "kind", "overall", "group", "period", "event_time", "municipality"}
	case TableSynthetic:
		return []string{"outcome", "match_scheme", "match_group", "unit"}
	case TableGaps:
		return []string{"outcome", "match_scheme", "match_group", "unit", "period"}
	case TableDonors:
		return []string{"outcome", "match_scheme", "match_group", "unit", "donor"}
	case TablePlacebos:
		return []string{"outcome", "match_scheme", "match_group", "unit", "placebo"}
	case TableSettlement:
		return []string{"line"}
	case TableEntries:
		return []string{"line", "participation_id", "on"}
	case TableSteps:
		return []string{"line", "step"}
	case TableGate, TableGatePreview:
		return []string{"line", "diagnostic"}
	case TableCounted:
		return []string{"agreement_id", "clause", "municipality", "match_scheme", "match_group", "provider_id", "package_id", "rule"}
	case TableCaseLines:
		return []string{"participation_id", "clause"}
	case TableDecisions:
		return []string{"decision"}
	case TableCarried:
		return []string{"agreement_id", "provider_id"}
	case TableUpkeep:
		return []string{"agreement_id", "what", "of"}
	case TableFollowUp:
		return []string{"agreement_id", "provider_id", "period"}
	}
	return nil
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

// aboutTable says what a table holds.
func aboutTable(name string) string {
	switch name {
	case TableRejects:
		return "Rows of the input that could not be used, and why"
	case TableCounts:
		return "How many rows of each input table were read, passed over and rejected"
	case TableAttrition:
		return "From the participations read to those analysed, step by step, for each cell"
	case TableProviders:
		return "Who the providers are, when, in which consortium, and how many referrals belong to each line"
	case TableCrosswalk:
		return "Match groups that were moved to another scheme"
	case TableCases:
		return "One row a participation: who, where, and what was known at the referral"
	case TableCovariates:
		return "What was adjusted for, and whether it is dated"
	case TableCells:
		return "Every cell (provider, match group, municipality, package): cases and plain means, compared with nobody"
	case TableOutcomes:
		return "One row a participation and outcome: what became of it"
	case TableDates:
		return "Days on which outcomes counted, case by case"
	case TableSignals:
		return "One row a participation: signals of gaming"
	case TablePeerStrata:
		return "Outcomes of participations summed in strata, in the form in which another municipality can use them"
	case TableControls:
		return "People on benefit without an offer, in the form of cases"
	case TableControlled:
		return "What became of people on benefit without an offer"
	case TableFigures:
		return "Figures about providers that terms can look at"
	case TableEvidence:
		return "Documents received about participations"
	case TablePeers:
		return "Which municipalities each municipality is compared with, and how near they are"
	case TablePeerValues:
		return "The framework conditions of each municipality beside those of its peers"
	case TableStability:
		return "Which peers would stay if one framework condition were left out"
	case TableEstimates:
		return "Every comparison of a cell with similar citizens elsewhere, with all that certifies it"
	case TableBenchmark:
		return "The difference of each cell from similar citizens, split into municipality and provider, with interval and verdict"
	case TableDiagnostics:
		return "What was measured of how far each difference can be trusted"
	case TableComparison:
		return "Citizens seen together: all of a municipality, own projects and providers, consortia, periods; with interval and verdict"
	case TableSpending:
		return "What was spent, beside the citizens it paid for and their effects"
	case TableProfile:
		return "Many cells at once: funnel, shrinkage, p-values of a family"
	case TableLeague:
		return "Ranks of a municipality's providers on one common target, with their intervals"
	case TableSensitivity:
		return "The same differences looked at in other ways"
	case TableCurves:
		return "Time to job: cumulative incidence by day and cause"
	case TableCreaming:
		return "Whether a provider's citizens were easier than others, at referral, start and completion"
	case TableDeciles:
		return "Starts, completions and outcomes by how likely the citizens were to succeed"
	case TableParking:
		return "Whether the hardest citizens fall behind at a provider"
	case TableIndicators:
		return "Indicators of gaming, counted beside those of others"
	case TableRanking:
		return "Municipalities by a share less what is expected by framework conditions"
	case TableBeforeAfter:
		return "Before and after a change, or why that cannot be told"
	case TableSynthetic:
		return "A changed municipality beside a synthetic one made of others"
	case TableGaps:
		return "Observed and synthetic outcome by period"
	case TableDonors:
		return "Of whom the synthetic municipality is made"
	case TablePlacebos:
		return "The same for municipalities without the change"
	case TableSettlement:
		return "Lines of the results bonus: what each clause pays each provider, and why not"
	case TableEntries:
		return "Which cases count in each line, and on which day"
	case TableSteps:
		return "How each line of the settlement was worked out, step by step"
	case TableGate:
		return "What the gate of each line measured, and whether it lets the line be paid"
	case TableCounted:
		return "How many cases counted under each clause, and by which rule the others did not"
	case TableCaseLines:
		return "For each case and clause the line it counts in, or the rule by which it does not"
	case TableDecisions:
		return "Decisions of terms that pay nothing, as who is dropped"
	case TableCarried:
		return "What is carried to a later settlement"
	case TableUpkeep:
		return "What is left of each agreement's volume, ceiling and term"
	case TableFollowUp:
		return "Satisfaction, inspections and verdicts beside what each provider earned"
	case TableGatePreview:
		return "Of a blinded run: what the gates would say of each line"
	}
	return ""
}

package jobeffekt

import (
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// bareName is a name without what writers differ in: case, marks between words, and how
// the Danish letters are written.
func bareName(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r == 'æ':
			b.WriteString("ae")
		case r == 'ø':
			b.WriteString("oe")
		case r == 'å':
			b.WriteString("aa")
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		}
	}
	return b.String()
}

// means says whether a name is one of those in a list of plain names.
func means(name, list string) bool { return slices.Contains(strings.Fields(list), bareName(name)) }

// tableNamed is the table of the contract that a Danish or other name of a table means; empty
// for none.
func tableNamed(name string) string {
	for _, t := range [...]struct{ table, names string }{
		{ingest.Participations, "forloeb borgerforloeb henvisninger henvisning tilbud deltagelser deltagelse participation cases"},
		{ingest.Spells, "perioder periode spell tilstande tilstand ydelsesperioder ydelser forloebsperioder histories"},
		{ingest.Persons, "personer person borgere borger citizens"},
		{ingest.Providers, "leverandoerer leverandoer aktoerer andenaktoer andreaktoerer provider"},
		{ingest.Municipalities, "kommuner kommune municipality rammevilkaar"},
		{ingest.Caseload, "bestand sager beholdning"},
		{ingest.Satisfaction, "brugertilfredshed tilfredshed"},
		{ingest.Inspections, "kvalitetstilsyn tilsyn"},
		{ingest.Spend, "udgifter forbrug regnskab"},
		{ingest.Invoices, "fakturaer faktura"},
		{ingest.Payments, "betalinger udbetalinger"},
	} {
		if means(name, t.names) || bareName(name) == bareName(t.table) {
			return t.table
		}
	}
	return ""
}

// columnNamed says whether a name in the input can only mean a column of the contract.
func columnNamed(table, column, name string) bool {
	if bareName(name) == bareName(column) {
		return true
	}
	for _, c := range [...]struct{ table, column, names string }{
		{"", "person_id", "borgerid borger personid person pseudonym citizenid citizen borgernoegle personnoegle"},
		{"", "participation_id", "forloebid forloebsid forloeb henvisningid henvisningsid deltagelseid tilbudid caseid referralid participation"},
		{"", "municipality", "kommune kommunekode kommunenr kommunenummer komkode komnr municipalitycode kommunenavn"},
		{"", "match_scheme", "matchskema matchordning matchskala scheme"},
		{"", "match_group", "matchgruppe match matchkategori group visitationsgruppe"},
		{"", "referral_date", "henvisningsdato henvistdato henvist visitationsdato referral referred referredon"},
		{"", "provider_id", "leverandoer leverandoerid leverandoerkode aktoer aktoerid andenaktoer andenaktoerid provider udbyder"},
		{"", "agreement_id", "aftale aftaleid rammeaftale rammeaftaleid kontrakt kontraktid agreement contract contractid"},
		{"", "package_id", "tilbudspakke tilbudspakkeid pakke pakkeid package offerpackage"},
		{"", "channel", "kanal"},
		{"", "role", "rolle"},
		{"", "completed", "gennemfoert fuldfoert afsluttetsomplanlagt"},
		{"", "start_date", "startdato start fradato fra begyndt startdate from"},
		{"", "end_date", "slutdato slut tildato til ophoert enddate to"},
		{ingest.Spells, "state", "tilstand tilstandskode ydelse ydelseskode ydelsestype status statuskode kode"},
		{ingest.Spells, "hours_per_week", "timer ugetimer timerpruge ugentligetimer weeklyhours hours"},
		{ingest.Spells, "amount", "beloeb loen loenbeloeb"},
		{ingest.Spells, "employer_id", "arbejdsgiver arbejdsgiverid virksomhed employer"},
		{"", "valid_from", "gyldigfra gaelderfra validfrom"},
		{"", "valid_to", "gyldigtil gaeldertil validto"},
		{"", "birth_date", "foedselsdato foedt birthdate dateofbirth"},
		{"", "consortium_id", "konsortium konsortiumid consortium"},
		{"", "in_house", "kontrolbud kommunal egenaktoer inhouse"},
		{"", "name", "navn"},
		{"", "year", "aar"},
		{ingest.Spend, "amount_dkk", "beloeb beloebkr udgift kroner"},
	} {
		if c.column == column && (c.table == "" || c.table == table) && means(name, c.names) {
			return true
		}
	}
	return false
}

// neverChanges says whether a covariate cannot change after the referral.
func neverChanges(name string) bool {
	return means(name, "sex gender koen origin herkomst oprindelse birthdate foedselsdato")
}

// stateNamed is the state that a code says in words. A code that is a number, or a word that
// may mean more than one thing, is not known.
func stateNamed(code string) (effect.State, bool) {
	if s, err := effect.ParseState(code); err == nil {
		return s, true
	}
	for _, c := range [...]struct {
		state effect.State
		names string
	}{
		{effect.OrdinaryEmployment, "ordinaerbeskaeftigelse ordinaertjob ustoettetbeskaeftigelse ordinaeransaettelse ordinaerustoettetbeskaeftigelse ordinaryemployment"},
		{effect.SelfEmployment, "selvstaendig selvstaendigerhvervsdrivende selvstaendigbeskaeftigelse"},
		{effect.FlexJob, "fleksjob flexjob"},
		{effect.WageSubsidy, "loentilskud ansaettelsemedloentilskud"},
		{effect.WorkPlacement, "virksomhedspraktik praktik"},
		{effect.Education, "uddannelse su ordinaeruddannelse"},
		{effect.CashBenefit, "kontanthjaelp"},
		{effect.EducationBenefit, "uddannelseshjaelp"},
		{effect.UnemploymentBenefit, "adagpenge arbejdsloeshedsdagpenge"},
		{effect.SicknessBenefit, "sygedagpenge"},
		{effect.Rehabilitation, "revalidering"},
		{effect.ResourceCourse, "ressourceforloeb"},
		{effect.Leave, "barsel barselsdagpenge orlov barselsorlov"},
		{effect.Pension, "pension folkepension foertidspension efterloen"},
		{effect.SelfSupport, "selvforsoergelse selvforsoergende"},
		{effect.Emigrated, "udvandret udrejst"},
		{effect.Dead, "doed afdoed"},
	} {
		if means(code, c.names) {
			return c.state, true
		}
	}
	return 0, false
}

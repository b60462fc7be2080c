package effecttest

import (
	"cmp"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/world"
)

// Cases puts the participations in columns, in the order of their ids, with
// sex, education, origin and age as covariates.
func (d *Data) Cases() *effect.Cases {
	rows := slices.Clone(d.Participations)
	slices.SortFunc(rows, func(a, b world.Participation) int { return cmp.Compare(a.ID, b.ID) })
	c := &effect.Cases{}
	persons := map[int64]world.Person{}
	for _, p := range d.Persons {
		persons[p.ID] = p
	}
	var ids []int64
	for _, r := range rows {
		ids = append(ids, r.PersonID)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	c.Persons = effect.NumberIDs(ids)
	text := func(at func(world.Participation) string) effect.Factor {
		names := make([]string, len(rows))
		for i, r := range rows {
			names[i] = at(r)
		}
		return effect.NewFactor(names)
	}
	c.Municipality = text(func(r world.Participation) string { return r.Municipality })
	c.MatchScheme = text(func(r world.Participation) string { return r.MatchScheme })
	c.MatchGroup = text(func(r world.Participation) string { return r.MatchGroup })
	c.Provider = text(func(r world.Participation) string { return r.ProviderID })
	c.Agreement = text(func(r world.Participation) string { return r.AgreementID })
	c.Package = text(func(r world.Participation) string { return r.PackageID })
	c.Channel = text(func(r world.Participation) string { return r.Channel })
	c.Role = text(func(r world.Participation) string { return r.Role })
	c.Completed = text(func(r world.Participation) string {
		if r.Completed {
			return effect.Yes
		}
		return effect.No
	})
	age := effect.Covariate{Name: "age", Dated: true, Fixed: true}
	for _, r := range rows {
		k, _ := slices.BinarySearch(ids, r.PersonID)
		c.ID.Append(effect.NumberID(r.ID))
		c.Person = append(c.Person, int32(k))
		c.Referral, c.Start, c.End = append(c.Referral, r.Referral), append(c.Start, r.Start), append(c.End, r.End)
		age.Number = append(age.Number, float64(int(float64(r.Referral-persons[r.PersonID].Birth)/365.25)))
	}
	c.Covariates = []effect.Covariate{
		{Name: "sex", Dated: true, Fixed: true, Factor: text(func(r world.Participation) string { return persons[r.PersonID].Sex })},
		{Name: "education", Dated: true, Fixed: true, Factor: text(func(r world.Participation) string { return persons[r.PersonID].Education })},
		{Name: "origin", Dated: true, Fixed: true, Factor: text(func(r world.Participation) string { return persons[r.PersonID].Origin })},
		age,
	}
	return c
}

package jobeffekt

import (
	"context"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// Views says how citizens are seen together, beside provider by provider.
type Views struct {
	Of    []effect.View `yaml:"of" doc:"total, channel, role, consortium or provider"`
	Every effect.Every  `yaml:"every,omitempty" doc:"year, half_year or quarter of referral, each beside the whole cohort; left out: the whole alone"`
}

// checkViews finds views that stand twice.
func (c *Config) checkViews(fault func(path, format string, args ...any)) {
	if c.Views == nil {
		return
	}
	if len(c.Views.Of) == 0 {
		fault("views.of", "name one view or more")
	}
	twice(fault, "views.of", c.Views.Of)
}

// compare looks at citizens together in other ways than by provider, where the
// run file asks for it.
func (b *Benchmarked) compare(ctx context.Context, ds *ingest.Dataset, c *Config, obs *effect.Observations, e Estimated) error {
	if c.Views == nil {
		return nil
	}
	members, aggregated, _, err := reference(ctx, ds, c)
	if err != nil {
		return err
	}
	b.Comparison, err = effect.Views(ctx, obs, c.design(e.Peers, members, aggregated), members, c.Views.Of, c.Views.Every, c.Methods())
	return err
}

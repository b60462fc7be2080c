package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/internal/whole"
)

// metrics is what a job tells of itself to Prometheus, as a file for the textfile
// collector of node_exporter. It is made of what may leave the house, and coarser: who
// sees it every night could else tell from one night to the next what a single citizen
// changed. docs/operate.md has the list.
type metrics struct {
	file  string
	began time.Time
	steps []stepTook
}

type stepTook struct {
	step string
	took time.Duration
	kept bool
}

// amountUnit is the least that amounts are rounded to, in kroner.
const amountUnit = 10_000

// unitOf is what amounts are rounded to: 1, 2 or 5 times a power of ten that is at least what
// twice as many citizens are worth as nothing is told of, at the highest price. Else the
// amount of one night less that of another would be a price times a few of them.
func unitOf(p *jobeffekt.Publication) float64 {
	price := 0.0
	if t := p.Table(jobeffekt.TableSettlement); t != nil && t.Column("unit_price_ore") != nil {
		for _, v := range t.Column("unit_price_ore").Floats {
			if !math.IsNaN(v) {
				price = max(price, math.Abs(v)/100)
			}
		}
		for _, v := range t.Column("unit_price_ore").Ints {
			price = max(price, math.Abs(float64(v))/100)
		}
	}
	unit := float64(amountUnit)
	for i := 0; unit < 2*float64(p.MinCount)*price; i++ {
		unit *= []float64{2, 2.5, 2}[i%3]
	}
	return unit
}

const lastSuccess = "jobeffekt_run_last_success_timestamp_seconds"

func (m *metrics) add(c *cobra.Command) {
	c.Flags().StringVar(&m.file, "metrics", "", "file of metrics for Prometheus, .prom, written whether the job is done or fails")
}

// check is to be called before any work.
func (m *metrics) check() error {
	m.began = time.Now()
	if m.file == "" {
		return nil
	}
	if filepath.Ext(m.file) != ".prom" {
		return usageError{fmt.Errorf("--metrics: %s does not end in .prom, and the collector reads no other file", m.file)}
	}
	if info, err := os.Stat(filepath.Dir(m.file)); err != nil || !info.IsDir() {
		return usageError{fmt.Errorf("--metrics: there is no folder %s", filepath.Dir(m.file))}
	}
	return nil
}

// did keeps how long a step took.
func (m *metrics) did(p jobeffekt.Progress, took time.Duration) {
	m.steps = append(m.steps, stepTook{p.Did, took, p.Kept})
}

// write writes the file after a job that ended with err, and returns err with what went
// wrong here. The results are those of the configuration, nil where it was not read.
func (m *metrics) write(ctx context.Context, c *jobeffekt.Config, err error) error {
	if m.file == "" {
		return err
	}
	told := m.tell(ctx, c, err)
	if told != nil {
		told = fmt.Errorf("--metrics: %w", told)
	}
	return errors.Join(err, told)
}

func (m *metrics) tell(ctx context.Context, c *jobeffekt.Config, failed error) error {
	g := gauges{registry: prometheus.NewRegistry()}
	g.in = prometheus.WrapRegistererWith(prometheus.Labels{"run": strings.TrimSuffix(filepath.Base(m.file), ".prom")}, g.registry)
	now := time.Now()
	done := failed == nil || errors.Is(failed, errGate)
	var read error
	if done {
		read = g.results(context.WithoutCancel(ctx), c)
	}
	last := m.former()
	if done {
		last = seconds(now)
	}
	g.one("jobeffekt_run_success", "1 if the last run was done, 0 if it failed or was stopped.", one(done))
	g.one("jobeffekt_run_exit_code", "Exit code of the last run.", float64(exitCode(ctx, failed)))
	g.one("jobeffekt_run_end_timestamp_seconds", "When the last run ended, done or not.", seconds(now))
	g.one("jobeffekt_run_duration_seconds", "How long the last run took.", now.Sub(m.began).Seconds())
	if last > 0 {
		g.one(lastSuccess, "When a run was last done.", last)
	}
	took := g.many("jobeffekt_step_duration_seconds", "How long the parts of the last run took that it came to; inputs is the hashing of the data.", "step")
	kept := g.many("jobeffekt_step_kept", "1 if the step was not done, as its tables stood there already.", "step")
	for _, s := range m.steps {
		took.WithLabelValues(s.step).Set(s.took.Seconds())
		if s.step != jobeffekt.DidInputs {
			kept.WithLabelValues(s.step).Set(one(s.kept))
		}
	}
	return errors.Join(read, g.write(m.file))
}

// write writes the file whole or not at all, readable by all. The library leaves a file behind
// where it is killed, and does not wait for the disk.
func (g *gauges) write(file string) error {
	made, drop, err := whole.Scratch("jobeffekt-metrics")
	if err != nil {
		return err
	}
	defer drop()
	name := filepath.Join(made, "metrics.prom")
	if err := prometheus.WriteToTextfile(name, g.registry); err != nil {
		return err
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return whole.Write(file, 0o644, text)
}

// former is when a run was last done, as the file tells it from before; 0 if it does not.
func (m *metrics) former() float64 {
	f, err := os.Open(m.file)
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), " "); ok && strings.HasPrefix(name, lastSuccess+"{") {
			if v, err := strconv.ParseFloat(value, 64); err == nil {
				return v
			}
		}
	}
	return 0
}

// gauges are metrics on their way to a file. Each run is a label of all of them, so
// that the files of several stand beside each other.
type gauges struct {
	registry *prometheus.Registry
	in       prometheus.Registerer
}

func (g *gauges) one(name, help string, v float64) {
	m := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	g.in.MustRegister(m)
	m.Set(v)
}

func (g *gauges) many(name, help string, label string) *prometheus.GaugeVec {
	m := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{label})
	g.in.MustRegister(m)
	return m
}

// results tells of the results what may be told.
func (g *gauges) results(ctx context.Context, c *jobeffekt.Config) error {
	p, err := jobeffekt.ReadPublication(ctx, c.ResultsFolder(), 0)
	if err != nil {
		return err
	}
	suppressed := 0
	rows := g.many("jobeffekt_rows_read", "Rows read of a table, to the nearest multiple of the count under which nothing is shown.", "table")
	rejects := g.many("jobeffekt_rows_rejected", "Bad rows of a table, to the nearest multiple; absent where they are few.", "table")
	type count struct {
		Table string  `col:"table"`
		Name  string  `col:"count"`
		Rows  float64 `col:"rows"`
	}
	counts, err := published[count](p, jobeffekt.TableCounts)
	if err != nil {
		return err
	}
	for _, n := range counts {
		to := map[string]*prometheus.GaugeVec{"read": rows, "rejected": rejects}[n.Name]
		switch {
		case to == nil:
		case math.IsNaN(n.Rows):
			suppressed++
		default:
			to.WithLabelValues(n.Table).Set(nearest(n.Rows, float64(p.MinCount)))
		}
	}
	type check struct {
		State string `col:"state"`
	}
	gate, err := published[check](p, jobeffekt.TableGate)
	if err != nil {
		return err
	}
	if gate != nil {
		states := g.many("jobeffekt_gate_checks", "Checks of gates by state.", "state")
		for _, s := range []bonus.GateState{bonus.Pass, bonus.Fail, bonus.NotEvaluated, bonus.NotApplicable} {
			states.WithLabelValues(string(s))
		}
		for _, c := range gate {
			if c.State != "" {
				states.WithLabelValues(c.State).Inc()
			}
		}
	}
	withheld, err := g.settled(p)
	g.one("jobeffekt_suppressed_series", "Series that are not told, as they tell of few citizens.", float64(suppressed+withheld))
	g.one("jobeffekt_as_of_timestamp_seconds", "The last day that counts in the results.", float64(p.Manifest.AsOf)*86400)
	return err
}

// settled tells how lines stand and what agreements pay. Of a line that is withheld it is not
// told whether it pays, but that a gate stopped it: the gate of a line is shown.
func (g *gauges) settled(p *jobeffekt.Publication) (withheld int, err error) {
	type line struct {
		ID     string  `col:"line"`
		Amount float64 `col:"amount_ore"`
		Reason string  `col:"reason"`
	}
	type check struct {
		Line     string `col:"line"`
		Accepted bool   `col:"accepted"`
	}
	type total struct {
		Agreement string  `col:"agreement_id"`
		Provider  string  `col:"provider_id"`
		Amount    float64 `col:"amount_ore"`
	}
	lines, err := published[line](p, jobeffekt.TableSettlement)
	if err != nil || lines == nil {
		return 0, err
	}
	gate, errGate := published[check](p, jobeffekt.TableGate)
	totals, errTotals := published[total](p, jobeffekt.TablePaid)
	if err := errors.Join(errGate, errTotals); err != nil {
		return 0, err
	}
	failed := map[string]bool{}
	for _, c := range gate {
		failed[c.Line] = failed[c.Line] || !c.Accepted
	}
	number := map[string]float64{"paid": 0, "stopped": 0, "nothing": 0, "withheld": 0}
	for _, l := range lines {
		switch hidden := math.IsNaN(l.Amount); {
		case (&bonus.Line{Reason: l.Reason}).Gated() || hidden && failed[l.ID]:
			number["stopped"]++
		case hidden:
			number["withheld"]++
		case l.Amount == 0:
			number["nothing"]++
		default:
			number["paid"]++
		}
	}
	states := g.many("jobeffekt_settlement_lines", "Lines of the settlement: paid, stopped by a gate, nothing to pay, or withheld as they tell of few citizens.", "state")
	for state, n := range number {
		states.WithLabelValues(state).Set(n)
	}
	unit := unitOf(p)
	amounts := g.many("jobeffekt_settled_kroner", fmt.Sprintf("What an agreement pays in all periods together, to the nearest %.0f.", unit), "agreement_id")
	for _, t := range totals {
		switch {
		case t.Provider != "":
		case math.IsNaN(t.Amount):
			withheld++
		default:
			amounts.WithLabelValues(t.Agreement).Set(nearest(t.Amount/100, unit))
		}
	}
	return withheld, nil
}

// published are the rows of a table of a publication, nil where it has none.
func published[T any](p *jobeffekt.Publication, name string) ([]T, error) {
	if t := p.Table(name); t != nil {
		return ingest.ToRows[T](t)
	}
	return nil, nil
}

// nearest is the multiple of a unit that is nearest, the even one of two.
func nearest(v, unit float64) float64 { return math.RoundToEven(v/unit) * unit }

func seconds(t time.Time) float64 { return math.Floor(float64(t.UnixMilli()) / 1000) }

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

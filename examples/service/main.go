// Service answers questions about effects over HTTP, out of the results of a run: an example
// of the library in a program of somebody else. README.md beside it says how to try it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/jobeffekt/jobeffekt"
)

// handler answers GET / with what can be asked for, and GET /effects with the effects that a question is about.
func handler(p *jobeffekt.Publication, log *slog.Logger) http.Handler {
	t, values := p.Table(jobeffekt.TableBenchmark), map[string][]string{}
	all := make([]map[string]any, t.Rows())
	for i := range all {
		all[i] = map[string]any{}
		for _, c := range t.Columns {
			if all[i][c.Name] = any(c.Cell(i)); c.Cell(i) == "" {
				all[i][c.Name] = nil // missing or withheld, never 0
			} else if c.Floats != nil {
				all[i][c.Name] = json.Number(c.Cell(i))
			}
		}
	}
	columns := map[string]string{"municipality": "municipality", "provider": "provider_id", "group": "match_group", "package": "package_id", "outcome": "outcome", "method": "method", "part": "part"}
	text := func(r map[string]any, name string) string { s, _ := r[columns[name]].(string); return s }
	for name := range columns {
		for _, r := range all {
			values[name] = append(values[name], text(r, name))
		}
		values[name] = slices.Compact(slices.Sorted(slices.Values(values[name])))
	}
	about := map[string]any{"as_of": p.Manifest.AsOf.String(), "standing": p.Manifest.Standing, "min_count": p.MinCount}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, out, found, known := http.StatusOK, maps.Clone(about), slices.Clone(all), r.Method == http.MethodGet
		for name, v := range r.URL.Query() {
			known = known && columns[name] != "" && len(v) == 1
			found = slices.DeleteFunc(found, func(r map[string]any) bool { return text(r, name) != v[0] })
		}
		switch {
		case !known:
			status, out["error"] = http.StatusBadRequest, "ask with GET, by what GET / lists, once each"
		case r.URL.Path == "/":
			out["effects_by"] = values
		case r.URL.Path == "/effects" && len(found) > 0:
			out["effects"] = found
		default:
			status, out["error"] = http.StatusNotFound, "there is nothing of this: GET / lists what effects can be asked by"
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		log.Info("answered", "status", status, "error", json.NewEncoder(w).Encode(out))
	})
}

func serve(ctx context.Context, log *slog.Logger, results, address string) error {
	p, err := jobeffekt.ReadPublication(ctx, results, 0)
	if err == nil {
		err = p.Record(ctx) // what can be asked for is published
	}
	if err != nil || p.Table(jobeffekt.TableBenchmark) == nil {
		return errors.Join(errors.New("there are no effects to answer with"), err)
	}
	s := &http.Server{Addr: address, Handler: handler(p, log), ReadTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- s.ListenAndServe() }()
	log.Info("answering", "address", address, "as_of", p.Manifest.AsOf)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done(): // what was asked is still answered
		return s.Shutdown(context.WithoutCancel(ctx))
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log, err := slog.New(slog.NewTextHandler(os.Stderr, nil)), errors.New("usage: service RESULTS ADDRESS")
	if len(os.Args) == 3 {
		err = serve(ctx, log, os.Args[1], os.Args[2])
	}
	if err != nil {
		log.Error("stopped", "error", err)
		os.Exit(1)
	}
}

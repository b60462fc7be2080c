package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// publication has three effects: one that is told, one of few citizens, one that was not rated.
func publication() *jobeffekt.Publication {
	names := func(of ...string) ingest.Column { return ingest.Column{Texts: of} }
	columns := map[string]ingest.Column{
		"municipality": names("751", "751", "461"), "provider_id": names("north", "\"<south>\"", "north"), "match_group": names("4", "5", "4"),
		"package_id": names("", "", "P1"), "outcome": names("work", "work", "work"), "method": names("balance", "balance", "balance"),
		"part": names("provider", "provider", "provider"), "verdict": names("no_difference_shown", "", "not_rated"), "refusal": names("", "", "few"),
		"suppressed": names("", "disclosure_control", ""), "n": {Floats: []float64{0, math.NaN(), 12}}, "difference": {Floats: []float64{-0.25, math.NaN(), math.NaN()}},
	}
	t := &ingest.Table{Name: jobeffekt.TableBenchmark}
	for name, c := range columns {
		c.Name = name
		t.Columns = append(t.Columns, c)
	}
	return &jobeffekt.Publication{
		Manifest: &jobeffekt.Manifest{AsOf: effect.NewDate(2010, 6, 30), Standing: "provisional"}, MinCount: 5, Tables: []*ingest.Table{t},
	}
}

func TestAnswers(t *testing.T) {
	server := httptest.NewServer(handler(publication(), slog.New(slog.NewTextHandler(io.Discard, nil))))
	defer server.Close()
	ask := func(method, path string) (int, map[string]any) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
		require.NoError(t, err)
		got, err := server.Client().Do(request)
		require.NoError(t, err)
		defer got.Body.Close()
		assert.Equal(t, "application/json", got.Header.Get("Content-Type"))
		var out map[string]any
		require.NoError(t, json.NewDecoder(got.Body).Decode(&out))
		assert.Equal(t, "2010-06-30", out["as_of"])
		return got.StatusCode, out
	}

	status, about := ask(http.MethodGet, "/")
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, map[string]any{
		"municipality": []any{"461", "751"}, "provider": []any{"\"<south>\"", "north"}, "group": []any{"4", "5"}, "package": []any{"", "P1"},
		"outcome": []any{"work"}, "method": []any{"balance"}, "part": []any{"provider"},
	}, about["effects_by"])
	assert.EqualValues(t, 5, about["min_count"])

	for path, want := range map[string]map[string]any{
		"/effects?municipality=751&provider=north": {"n": 0.0, "difference": -0.25, "verdict": "no_difference_shown", "suppressed": nil, "refusal": nil},
		"/effects?provider=%22%3Csouth%3E%22":      {"n": nil, "difference": nil, "verdict": nil, "suppressed": "disclosure_control", "refusal": nil},
		"/effects?package=P1&group=4&outcome=work": {"n": 12.0, "difference": nil, "verdict": "not_rated", "suppressed": nil, "refusal": "few"},
	} {
		status, out := ask(http.MethodGet, path)
		assert.Equal(t, http.StatusOK, status, path)
		require.Len(t, out["effects"], 1, path)
		effect := out["effects"].([]any)[0].(map[string]any)
		for name, value := range want {
			assert.Contains(t, effect, name, path)
			assert.Equal(t, value, effect[name], "%s: %s", path, name)
		}
	}
	_, all := ask(http.MethodGet, "/effects")
	assert.Len(t, all["effects"], 3, "a question takes nothing away from the next")
	_, together := ask(http.MethodGet, "/effects?package=")
	assert.Len(t, together["effects"], 2)

	for path, want := range map[string]int{
		"/effects?town=751":                          http.StatusBadRequest,
		"/effects?municipality=751&municipality=461": http.StatusBadRequest,
		"/effects?municipality=7510":                 http.StatusNotFound,
		"/effects/751":                               http.StatusNotFound,
		"/nothing":                                   http.StatusNotFound,
	} {
		status, out := ask(http.MethodGet, path)
		assert.Equal(t, want, status, path)
		assert.NotEmpty(t, out["error"], path)
		assert.NotContains(t, out, "effects", path)
	}
	status, _ = ask(http.MethodDelete, "/effects")
	assert.Equal(t, http.StatusBadRequest, status)
}

// Results that are not there stop it before it listens.
func TestServeNothing(t *testing.T) {
	err := serve(t.Context(), slog.New(slog.NewTextHandler(io.Discard, nil)), t.TempDir(), "localhost:0")
	assert.ErrorIs(t, err, jobeffekt.ErrManifest)
}

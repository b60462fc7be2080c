"""Figures for the tests of effect/interval: run as `python interval.py > interval.json`."""
import json, sys
from importlib.metadata import version
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

out = {"tool": {p: version(p) for p in ("scipy", "statsmodels")}, "python": sys.version.split()[0]}
out["wilson_65_100"] = list(map(float, proportion_confint(65, 100, 0.05, method="wilson")))
out["newcombe_56_70_48_80"] = list(map(float, confint_proportions_2indep(56, 70, 48, 80, method="newcomb", compare="diff", alpha=0.05)))
out["normal_0.975"] = float(stats.norm.ppf(0.975))
out["t_0.975"] = {str(df): float(stats.t.ppf(0.975, df)) for df in (1, 3, 5, 1000)}
json.dump(out, sys.stdout, indent=1)

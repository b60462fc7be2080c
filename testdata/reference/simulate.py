# What three providers are paid for effects when the figures are drawn again and
# again: a second computation of a simulation, from the twelve figures that the
# demonstration gives by the method strata (provider's part of employed_26w, by
# package), with numpy's own draws.
#
#   python simulate.py > simulate.json      (Python 3, numpy, scipy)
#
# Each figure is truth + SE T. A line pays the lower limit of the 95 % interval times the cases
# times the price, if that is above 0. With Holm, a line is paid only where the
# adjusted two-sided p of all twelve is at most 0.05. The limit is per provider.
import json

import numpy as np
from scipy import stats

# provider, group, package, difference, standard error, df, cases compared, price
figures = [
    ("L751-1", "4", "P1", 0.0139153745, 0.0512636601, 156.350294, 109, 40000),
    ("L751-1", "4", "P2", 0.0294478125, 0.059573647, 91.9355055, 68, 40000),
    ("L751-1", "5", "P1", 0.00504182055, 0.0381880778, 183.551044, 123, 60000),
    ("L751-1", "5", "P2", 0.0136760003, 0.049192354, 128.740933, 92, 60000),
    ("L751-2", "4", "P1", 0.125595721, 0.0500995482, 117.518959, 94, 40000),
    ("L751-2", "4", "P2", 0.00223825985, 0.056323624, 73.1278507, 58, 40000),
    ("L751-2", "5", "P1", 0.134986716, 0.0363105717, 175.62181, 148, 60000),
    ("L751-2", "5", "P2", 0.138440258, 0.0415871679, 131.19804, 117, 60000),
    ("L751-3", "4", "P1", -0.133059672, 0.0427112929, 137.107492, 98, 40000),
    ("L751-3", "4", "P2", -0.10302259, 0.053944716, 93.0748408, 70, 40000),
    ("L751-3", "5", "P1", -0.117865771, 0.0270819957, 223.289851, 134, 60000),
    ("L751-3", "5", "P2", -0.134296403, 0.0328467802, 161.690213, 104, 60000),
]
provider = [f[0] for f in figures]
measured, se, df, n, price = (np.array([f[k] for f in figures], float) for k in (3, 4, 5, 6, 7))
truths = {"as_measured": measured, "no_effect": 0 * measured, "relevant_effect": 0 * measured + 0.15}
draws = 1_000_000
rng = np.random.default_rng(751)
t = np.stack([rng.standard_t(v, draws) for v in df], axis=1)
quantile = stats.t.ppf(0.975, df)


def holm(p):
    order = np.argsort(p, axis=1)
    ranked = np.take_along_axis(p, order, axis=1) * np.arange(p.shape[1], 0, -1)
    ranked = np.minimum(np.maximum.accumulate(ranked, axis=1), 1)
    out = np.empty_like(p)
    np.put_along_axis(out, order, ranked, axis=1)
    return out


out = {"draws": draws, "figures": [dict(zip(("provider", "group", "package", "difference", "se", "df", "n"), f)) for f in figures], "rows": []}
for truth, at in truths.items():
    d = at + se * t
    for gate in ("open", "holm"):
        quantity = np.maximum(0, d - quantile * se)
        if gate == "holm":
            quantity = quantity * (holm(2 * stats.t.sf(np.abs(d) / se, df)) <= 0.05)
        lines = quantity * n * price
        for limit in (None, 400_000):
            for who in sorted(set(provider)):
                mine = [k for k, p in enumerate(provider) if p == who]
                paid = lines[:, mine].sum(axis=1)
                if limit:
                    paid = np.minimum(paid, limit)
                out["rows"].append({
                    "truth": truth, "gate": gate, "limit": limit or 0, "provider": who,
                    "mean": paid.mean(), "sd": paid.std(ddof=1), "chance": float((paid > 0).mean()),
                    "p50": float(np.quantile(paid, 0.5, method="inverted_cdf")), "p95": float(np.quantile(paid, 0.95, method="inverted_cdf")),
                    "missed": float(1 - (lines[:, mine] > 0).any(axis=1).mean()),
                })
print(json.dumps(out, indent=1))

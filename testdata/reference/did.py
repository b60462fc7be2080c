"""Group-time difference-in-differences of mpdta.csv by Python's csdid (a port of R's did, with drdid): doubly robust,
analytic standard errors. One entry for each way of asking. Written to did.json.

    python did.py
"""

import importlib.metadata as metadata
import itertools
import json
import pathlib

import numpy as np
import pandas as pd
from csdid.att_gt import ATTgt

HERE = pathlib.Path(__file__).parent


def plain(values):
    return [None if v is None or not np.isfinite(v) else float(v) for v in np.asarray(values, dtype=float).ravel()]


data = pd.read_csv(HERE / "mpdta.csv")
data["first_treat"] = data["first_treat"].astype(float)
# A weight for each county, and a panel in which nobody is never treated.
data["w"] = 1 + data["countyreal"] % 7 / 3
out = {"versions": {p: metadata.version(p) for p in ("csdid", "drdid", "numpy", "pandas", "statsmodels")}, "cases": []}
for controls, base, anticipation, covariates, weighted, late in itertools.product(
    ("nevertreated", "notyettreated"), ("varying", "universal"), (0, 1), (False, True), (False, True), (False, True)
):
    if late and controls == "nevertreated" or late and (weighted or anticipation):
        continue
    d = data[data["first_treat"] > 0] if late else data
    a = ATTgt(
        yname="lemp", gname="first_treat", idname="countyreal", tname="year", data=d.copy(), control_group=[controls],
        xformla="lemp~lpop" if covariates else "lemp~1", anticipation=anticipation, weights_name="w" if weighted else None,
    ).fit(est_method="dr", base_period=base, bstrap=False)
    r = a.results
    case = dict(
        controls=controls, base=base, anticipation=anticipation, covariates=covariates, weighted=weighted, late=late,
        group=plain(r["group"]), period=plain(r["year"]), att=plain(r["att"]), se=plain(r["se"]), averages={},
    )
    for kind in ("simple", "dynamic", "group", "calendar"):
        g = a.aggte(typec=kind, bstrap=False, cband=False).atte
        case["averages"][kind] = dict(
            overall=plain([g["overall_att"], g["overall_se"]]),
            at=[] if kind == "simple" else plain(g["egt"]), att=[] if kind == "simple" else plain(g["att_egt"]), se=[] if kind == "simple" else plain(g["se_egt"]),
        )
    if not late and not anticipation:
        g = a.aggte(typec="dynamic", balance_e=1, bstrap=False, cband=False).atte
        case["averages"]["balanced"] = dict(overall=plain([g["overall_att"], g["overall_se"]]), at=plain(g["egt"]), att=plain(g["att_egt"]), se=plain(g["se_egt"]))
    out["cases"].append(case)
(HERE / "did.json").write_text(json.dumps(out, indent=1) + "\n")

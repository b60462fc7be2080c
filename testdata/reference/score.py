"""Scores, exchanges, pools and the chance of a decision by luck, worked out once more.

Python 3 with fractions alone (the published figures are in the two CSV files beside it):
    python3 score.py > score.json
"""
import csv
import json
import math
import sys
from fractions import Fraction as F
from itertools import product

STATE = 20260101


def lot(n):
    """The next of a fixed row of numbers under n (a linear congruence)."""
    global STATE
    STATE = (STATE * 6364136223846793005 + 1442695040888963407) % 2**64
    return (STATE >> 33) % n


def rounded(x, decimals, mode):
    scaled = abs(x) * 10**decimals
    whole, rest = divmod(scaled.numerator, scaled.denominator)
    half = F(rest, scaled.denominator)
    if mode == "half_up" and half >= F(1, 2) or mode == "half_even" and (half > F(1, 2) or half == F(1, 2) and whole % 2):
        whole += 1
    return F(whole if x >= 0 else -whole, 10**decimals)


def largest_remainder(total, exact, unit):
    """Whole units that sum to the total; ties in the order given."""
    units = [math.floor(x / unit) for x in exact]
    left = total / unit - sum(units)
    assert left.denominator == 1 and 0 <= left <= len(exact)
    order = sorted(range(len(exact)), key=lambda i: (-(exact[i] / unit - units[i]), i))
    for i in order[: int(left)]:
        units[i] += 1
    return [str(u * unit) for u in units]


def hrrp():
    out = {}
    for r in csv.DictReader(open("hrrp_fy2020_fy2023.csv")):
        year = out.setdefault(r["fy"], {"sum": F(0), "neutrality": F(r["neutrality"]), "published": r["paf"]})
        try:
            n, err, median, ratio = int(r["n"]), F(r["err"]), F(r["peer_median"]), F(r["drg_ratio"])
        except ValueError:
            continue
        if n >= 25:
            year["sum"] += ratio * max(F(0), err - median)
    rows = []
    for fy, y in sorted(out.items()):
        paf = 1 - rounded(min(F(3, 100), y["neutrality"] * y["sum"]), 4, "half_up")
        assert paf == rounded(F(y["published"]), 4, "half_up"), fy
        rows.append({"fy": fy, "paf": str(paf)})
    return rows


def rusta():
    rows = []
    for r in csv.DictReader(open("rusta_och_matcha_sample.csv")):
        total = sum((int(r["rr1_" + g]) + int(r["rr2_" + g])) * F(r["weight_" + g]) for g in "abc")
        score = rounded(total / (2 * int(r["participants"])), 3, "half_up")
        assert score == F(r["score"]), r
        rows.append({"period": r["period"], "contract": r["contract"], "score": str(score)})
    return rows


def exchanges():
    rows = [{"bases": [10**7, 2 * 10**7, 3 * 10**7], "scores": ["0.6", "0.4", "0.2"], "withhold": "0.02", "unit": "0.01"}]
    for _ in range(30):
        k = 1 + lot(6)
        rows.append({
            "bases": [lot(10**6) for _ in range(k)], "scores": [f"{lot(2) * lot(1000) / 1000:.3f}" for _ in range(k)],
            "withhold": ["1", "0.02", "0.0333"][lot(3)], "unit": ["0.01", "1"][lot(2)],
        })
    for r in rows:
        bases, scores, unit = [F(b) for b in r["bases"]], [F(s) for s in r["scores"]], F(1, 100) if r["unit"] == "0.01" else F(1)
        weighted = sum(b * s for b, s in zip(bases, scores))
        if weighted == 0:
            r["slope"], r["amounts"] = "0", ["0"] * len(bases)
            continue
        slope = sum(bases) / weighted
        exact = [b * F(r["withhold"]) * (slope * s - 1) for b, s in zip(bases, scores)]
        r["slope"], r["amounts"] = str(slope), largest_remainder(F(0), exact, unit)
    return rows


def pools():
    rows = []
    for _ in range(30):
        k, unit = 1 + lot(7), ["0.01", "1"][lot(2)]
        amount = F(lot(10**6)) if unit == "1" else F(lot(10**8), 100)
        weights = [f"{(lot(3) > 0) * lot(100) / [1, 10, 100][lot(3)]:.2f}" for _ in range(k)]
        total = sum(F(w) for w in weights)
        if total == 0:
            amounts = ["0"] * k
        else:
            shares = largest_remainder(amount, [amount * F(w) / total for w in weights if F(w) > 0], F(1, 100) if unit == "0.01" else F(1))
            amounts = [shares.pop(0) if F(w) > 0 else "0" for w in weights]
        rows.append({"amount": f"{float(amount):.2f}", "unit": unit, "weights": weights, "amounts": amounts})
    return rows


def scores():
    """Scores of figures: above, scales, roundings, weights, domains and missing parts."""
    rows = []
    for _ in range(60):
        figures, parts, domains = {}, [], []
        modes = ["half_up", "half_even", "down"]
        missing = ["nothing", "reallocate", "not_rated"][lot(3)]
        if lot(2):
            domains = [{"name": f"d{i}", "weight": str(1 + lot(50))} for i in range(1 + lot(3))]
        for i in range(len(domains) + 1 + lot(4)):
            p = {"name": f"part {i}", "figure": f"f{i}", "weight": f"{(1 + lot(999)) / 10:.1f}"}
            if lot(4):
                figures[f"f{i}"] = (f"{lot(2001) / 1000 - 0.5:.3f}", lot(40))
            if lot(3) == 0:
                p["above"] = f"a{i}" if lot(2) else "0.25"
                figures[f"a{i}"] = (f"{lot(800) / 1000:.3f}", -1)
            if lot(3) == 0:
                p["min_n"] = 20
            if lot(2):
                p["scales"] = []
                for _ in range(1 + lot(2)):
                    lo, hi = f"{lot(500) / 1000:.3f}", f"{(500 + lot(500)) / 1000:.3f}"
                    if lot(3) == 0:
                        lo, hi = hi, lo
                    s = {"from": lo, "to": hi, "points": str(1 + lot(10))}
                    if lot(2):
                        s["plus"] = ["0.5", "-0.5"][lot(2)]
                    if lot(2):
                        s["full"] = str(1 + lot(12))
                    if lot(2):
                        s["round"] = {"decimals": lot(2), "mode": modes[lot(3)]}
                    p["scales"].append(s)
            if lot(3) == 0:
                p["round"] = {"decimals": 1 + lot(2), "mode": modes[lot(3)]}
            if domains:
                p["domain"] = f"d{i % len(domains)}"
            parts.append(p)
        score = {"missing": missing, "parts": parts}
        if domains:
            score["domains"] = domains
        if lot(2):
            score["times"] = f"{(1 + lot(30)) / 10:.1f}"
        if lot(2):
            score["most"] = f"{lot(60):d}"
        if lot(2):
            score["least"] = "0"
        if lot(2):
            score["round"] = {"decimals": lot(4), "mode": modes[lot(3)]}
        rows.append({"score": score, "figures": {k: {"value": v, "n": n} for k, (v, n) in figures.items()}, "value": value(score, figures)})
    return rows


def value(score, figures):
    """The score as a fraction, or an empty text where there is none."""
    def number(text):
        if text[0].isalpha():
            return F(figures[text][0]) if text in figures else None
        return F(text)

    def points(p):
        if p["figure"] not in figures:
            return None
        v, n = F(figures[p["figure"]][0]), figures[p["figure"]][1]
        if "min_n" in p and n < p["min_n"]:
            return None
        if "above" in p:
            v = max(F(0), v - number(p["above"]))
        if "scales" in p:
            v = max(scale(s, v) for s in p["scales"])
        if "round" in p:
            v = rounded(v, **p["round"])
        return v

    def scale(s, v):
        part, full = (v - F(s["from"])) / (F(s["to"]) - F(s["from"])), F(s.get("full", s["points"]))
        if part < 0:
            return F(0)
        if part >= 1:
            return full
        x = F(s.get("plus", "0")) + F(s["points"]) * part
        if "round" in s:
            x = rounded(x, **s["round"])
        return min(max(x, F(0)), full)

    had = [(F(p["weight"]), points(p)) for p in score["parts"]]
    if score["missing"] == "not_rated" and any(v is None for _, v in had):
        return ""
    if "domains" in score:
        items = []
        for d in score["domains"]:
            inside = [x for x, p in zip(had, score["parts"]) if p["domain"] == d["name"]]
            there = [(w, v) for w, v in inside if v is not None]
            by = sum(w for w, _ in (there if score["missing"] == "reallocate" else inside))
            items.append((F(d["weight"]), sum(w * v for w, v in there) / by if there else None))
        had = items
    there = [(w, v) for w, v in had if v is not None]
    if not there and score["missing"] != "nothing":
        return ""
    total = sum((w * v for w, v in there), F(0))
    if score["missing"] == "reallocate":
        total = total * sum(w for w, _ in had) / sum(w for w, _ in there)
    total *= F(score.get("times", "1"))
    if "most" in score:
        total = min(total, F(score["most"]))
    if "least" in score:
        total = max(total, F(score["least"]))
    if "round" in score:
        total = rounded(total, **score["round"])
    return str(total)


def luck():
    """The chance that the lowest share lies too far under the highest, by going through all counts."""
    rows = []
    for n, reached, distance in [
        ([5, 7], 6, {"points": "0.2"}), ([10, 10, 10], 17, {"points": "0.2"}), ([8, 12, 9], 11, {"percent": "30"}),
        ([4, 6, 3, 5], 9, {"points": "0.5"}), ([40, 60], 55, {"points": "0.025"}), ([40, 60], 55, {"percent": "2.5"}), ([20, 20], 39, {"points": "0.05"}),
    ]:
        p, chance = F(reached, sum(n)), F(0)
        law = [[math.comb(k, x) * p**x * (1 - p) ** (k - x) for x in range(k + 1)] for k in n]
        for counts in product(*[range(k + 1) for k in n]):
            shares = [F(x, k) for x, k in zip(counts, n)]
            low, high = min(shares), max(shares)
            limit = high - F(distance["points"]) if "points" in distance else high * (1 - F(distance["percent"]) / 100)
            if low < limit:
                chance += math.prod(law[i][x] for i, x in enumerate(counts))
        rows.append({"n": n, "reached": reached, "distance": distance, "chance": float(chance)})
    return rows


json.dump({
    "python": sys.version.split()[0], "hrrp": hrrp(), "rusta": rusta(), "exchanges": exchanges(), "pools": pools(), "scores": scores(), "luck": luck(),
}, sys.stdout, indent=1)

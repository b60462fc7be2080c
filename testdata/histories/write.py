"""Writes one small world of case histories with several writers of Parquet.

    python write.py [--check] [truth] [duckdb] [pyarrow] [polars] [spark]

Without names everything but the truth is written, from truth/*.csv; "truth"
draws that anew. With --check it is written to a temporary folder instead, the
truth too, and compared with what is here: for every table the names and types of
its columns and the values of its rows, in any order, as PyArrow reads them back.
Exit code 1 if any differs. Versions used are in README.md. Spark needs Java.
"""
import csv
import datetime as dt
import glob
import os
import random
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = HERE  # where to write
WRITERS = ["duckdb", "pyarrow", "polars", "spark"]
STATES = ["ordinary_employment", "self_employment", "wage_subsidy", "education", "cash_benefit", "sickness_benefit", "self_support"]


def path(*parts):
    out = os.path.join(OUT, *parts)
    os.makedirs(os.path.dirname(out), exist_ok=True)
    return out


def fresh(*parts):
    shutil.rmtree(os.path.join(OUT, *parts), ignore_errors=True)


def source(table):
    return os.path.join(HERE, "truth", table + ".csv")


def truth():
    rng = random.Random(20080101)
    day = lambda lo, hi: dt.date(2005, 1, 1) + dt.timedelta(days=rng.randrange(lo, hi))
    opt = lambda v: "" if rng.random() < 0.15 else v
    people = [1000 + 7 * i for i in range(60)]
    with open(path("truth", "participations.csv"), "w", newline="") as f:
        w = csv.writer(f)
        w.writerow("participation_id person_id municipality match_scheme match_group referral_date provider_id agreement_id package_id channel start_date end_date completed price".split())
        for i in range(90):
            ref = day(900, 1500)
            start = ref + dt.timedelta(days=rng.randrange(0, 30))
            done = rng.random() < 0.7
            w.writerow([90_000_000_000 + 13 * i, rng.choice(people[:48]), rng.choice([101, 147, 751]), "match5_2004", rng.randrange(1, 6), ref,
                        opt(rng.choice(["P1", "P2", "Ærø"])), opt("A" + str(rng.randrange(3))), opt("T" + str(rng.randrange(2))),
                        "provider", opt(start), (start + dt.timedelta(days=rng.randrange(20, 120))) if done else "",
                        opt(str(done).lower()), opt(f"{rng.randrange(100_000, 900_000) / 100:.2f}")])
    with open(path("truth", "persons.csv"), "w", newline="") as f:
        w = csv.writer(f)
        w.writerow("person_id valid_from sex birth_date education debt".split())
        for p in people[2:]:
            born, sex = day(-20000, -5000), rng.choice("km")
            for k in range(rng.randrange(1, 3)):
                w.writerow([p, day(0, 900) if k == 0 else day(900, 1500), sex, born, opt(rng.randrange(0, 9)), opt(rng.randrange(0, 4_000_000) / 8)])
    with open(path("truth", "spells.csv"), "w", newline="") as f:
        w = csv.writer(f)
        w.writerow("person_id state start_date end_date hours_per_week".split())
        for p in people:
            at = day(0, 300)
            for k in range(rng.randrange(2, 9)):
                to = at + dt.timedelta(days=rng.randrange(7, 400))
                w.writerow([p, rng.choice(STATES), at, "" if k == 7 else to, opt(rng.randrange(0, 75) / 2)])
                at = to


def columns(table):
    """The columns of a table of the truth: whole numbers, floats, dates, booleans and text, None for null."""
    with open(source(table), newline="") as f:
        rows = list(csv.DictReader(f))

    def value(name, s):
        if s == "":
            return None
        if name.endswith("_date") or name == "valid_from":
            return dt.date.fromisoformat(s)
        if name in ("participation_id", "person_id", "municipality", "match_group", "education"):
            return int(s)
        if name in ("debt", "price", "hours_per_week"):
            return float(s)
        if name == "completed":
            return s == "true"
        return s

    return {name: [value(name, r[name]) for r in rows] for name in rows[0]}


TABLES = ["participations", "persons", "spells"]


def arrow(table, when=None, ids=None, states=None):
    """An Arrow table, with dates as the type `when`, ids as `ids`, and states as the numbers of `states`."""
    import pyarrow as pa

    out = {}
    for name, values in columns(table).items():
        t = None
        if name.endswith("_date") or name == "valid_from":
            t = pa.date32()
        elif name in ("participation_id", "person_id"):
            t = pa.int64()
        elif name in ("municipality", "match_group", "education"):
            t = pa.int16()
        a = pa.array(values, type=t)
        if t == pa.date32() and when is not None:
            a = a.cast(pa.timestamp("s")).cast(when)
        if t == pa.int64() and ids is not None:
            a = a.cast(ids)
        if name == "state" and states:
            a = pa.array([STATES.index(v) for v in values], type=pa.int8())
        if name == "price" and when is not None:
            a = a.cast(pa.decimal128(12, 2))
        out[name] = a
    return pa.table(out)


def duckdb():
    import duckdb as db

    for variant, cast in (("duckdb", {}), ("duckdb_text_ids", {"participation_id": "varchar", "person_id": "varchar", "municipality": "varchar"})):
        fresh(variant)
        for table in TABLES:
            rel = arrow(table)
            con = db.connect()
            con.register("t", rel)
            cols = []
            for c in rel.column_names:
                kind = cast.get(c)
                if cast and c.endswith("_date"):
                    kind = "timestamp"
                if c == "price":
                    kind = "decimal(12,2)"
                cols.append(f'"{c}"::{kind} "{c}"' if kind else f'"{c}"')
            opt = "compression snappy" if cast else "compression zstd"
            con.execute(f"copy (select {', '.join(cols)} from t) to '{path(variant, table + '.parquet')}' (format parquet, {opt})")


def pyarrow():
    import pyarrow as pa
    import pyarrow.parquet as pq

    fresh("pyarrow_delta_v2")
    for table in TABLES:
        t = arrow(table, when=pa.timestamp("ns"))
        enc = {}
        for f in t.schema:
            if pa.types.is_string(f.type):
                enc[f.name] = "DELTA_BYTE_ARRAY" if f.name in ("state", "provider_id") else "DELTA_LENGTH_BYTE_ARRAY"
            elif pa.types.is_floating(f.type):
                enc[f.name] = "BYTE_STREAM_SPLIT"
            elif pa.types.is_integer(f.type) or pa.types.is_timestamp(f.type):
                enc[f.name] = "DELTA_BINARY_PACKED"
        pq.write_table(t, path("pyarrow_delta_v2", table + ".parquet"), version="2.6", data_page_version="2.0", compression="gzip",
                       use_dictionary=False, column_encoding=enc, row_group_size=50)
    fresh("pyarrow_plain_parts")
    for table in TABLES:
        t = arrow(table, when=pa.timestamp("ms", tz="UTC"), states=True)
        t = t.append_column("remark", pa.nulls(len(t)))
        cut = len(t) // 3
        for i, part in enumerate((t.slice(0, cut), t.slice(cut, 0), t.slice(cut))):
            pq.write_table(part, path("pyarrow_plain_parts", table, f"part-{i}.parquet"), version="1.0", compression="none",
                           use_dictionary=False, data_page_size=200, write_batch_size=20)
    fresh("pyarrow_dictionary")
    for table in TABLES:
        # A dictionary that may hold a few values only: later pages are plain.
        pq.write_table(arrow(table), path("pyarrow_dictionary", table + ".parquet"), compression="zstd",
                       dictionary_pagesize_limit=200, data_page_size=100, write_batch_size=16, write_page_checksum=True)


def polars():
    import polars as pl

    fresh("polars")
    for table in TABLES:
        t = pl.from_arrow(arrow(table))
        if "state" in t.columns:
            t = t.with_columns(pl.col("state").cast(pl.Categorical))
        t = t.with_columns(pl.col(c).cast(pl.Datetime("us")) for c in t.columns if c.endswith("_date"))
        t.write_parquet(path("polars", table + ".parquet"), compression="zstd", row_group_size=64)


def spark():
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as F

    s = (SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config("spark.ui.showConsoleProgress", "false").config("spark.sql.session.timeZone", "UTC")
         .config("spark.sql.parquet.outputTimestampType", "INT96").config("spark.driver.bindAddress", "127.0.0.1").getOrCreate())
    for variant in ("spark", "spark_int96"):
        fresh(variant)
        for table in TABLES:
            cols = columns(table)
            types = {"participation_id": "bigint", "person_id": "bigint", "municipality": "int", "match_group": "int", "education": "int",
                     "debt": "double", "price": "decimal(12,2)", "hours_per_week": "double", "completed": "boolean"}
            df = s.read.option("header", True).csv(source(table))
            for c in cols:
                kind = types.get(c, "date" if c.endswith("_date") or c == "valid_from" else "string")
                if kind == "date" and variant == "spark_int96":
                    kind = "timestamp"
                df = df.withColumn(c, F.col(c).cast(kind))
            out = path(variant, table)
            df.repartition(2).write.mode("overwrite").option("compression", "gzip" if variant == "spark" else "snappy").parquet(out)
            for junk in glob.glob(os.path.join(out, ".*")) + glob.glob(os.path.join(out, "_*")):
                os.remove(junk)
            # Spark draws the names of its parts at random.
            for i, part in enumerate(sorted(glob.glob(os.path.join(out, "*.parquet")))):
                codec = "gz" if variant == "spark" else "snappy"
                os.rename(part, os.path.join(out, f"part-{i:05d}.{codec}.parquet"))
    s.stop()


def contents(folder, variant, table):
    """The columns of a table and its rows, sorted as text; None where there is no file."""
    import pyarrow.parquet as pq

    files = [os.path.join(folder, variant, table + end) for end in (".csv", ".parquet")] + glob.glob(os.path.join(folder, variant, table, "*.parquet"))
    columns, rows = set(), []
    for file in filter(os.path.exists, files):
        if file.endswith(".csv"):
            with open(file, newline="") as f:
                head, *lines = csv.reader(f)
            columns.add(",".join(head))
            rows += map(repr, lines)
            continue
        t = pq.ParquetFile(file).read()
        columns.add(", ".join(f"{f.name} {f.type}" for f in t.schema))
        rows += map(repr, t.to_pylist())
    return (sorted(columns), sorted(rows)) if columns else None


def difference(old, new):
    if old is None or new is None:
        return "is not here" if old is None else "was not written"
    if old[0] != new[0]:
        return "differs in its columns"
    missing = len(set(old[1]) - set(new[1]))
    return f"differs in {max(missing, 1)} of {len(old[1])} rows" if old[1] != new[1] else ""


def check(names):
    """Compares the variants of the writers named, as written anew, with those here; returns how many tables differ."""
    differ = 0
    here = {v for v in os.listdir(HERE) if os.path.isdir(os.path.join(HERE, v)) and v.split("_")[0] in names}
    for variant in sorted(here | set(os.listdir(OUT))):
        for table in TABLES:
            old = contents(HERE, variant, table)
            what = difference(old, contents(OUT, variant, table))
            differ += what != ""
            print(f"{variant}/{table}: {what or f'{len(old[1])} rows, the same'}")
    return differ


if __name__ == "__main__":
    checking = "--check" in sys.argv
    names = [a for a in sys.argv[1:] if a != "--check"] or WRITERS + ["truth"] * checking
    if checking:
        OUT = tempfile.mkdtemp()
    try:
        for what in names:
            globals()[what]()
        sys.exit(1 if checking and check(names) else 0)
    finally:
        if checking:
            shutil.rmtree(OUT)

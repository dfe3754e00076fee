"""Play the data warehouse: write the flights whose arrival is known at the end of a month.

    python fetch_data.py                      the next month arrives
    python fetch_data.py --through 2013-03    go to the end of March
    python fetch_data.py --broken             the next month arrives, but something went wrong on the way
    python fetch_data.py --migrated           the next month arrives, from a new system that writes it otherwise

A sample of the newest month becomes data/holdout.csv. All months before it become data/training.csv.
So a new model is judged on flights that happened after everything it learned from, and the
model in production, trained a month or more earlier, has not seen them either.
"""

import argparse
from pathlib import Path

import polars as pl

WAREHOUSE = Path("data/flights_2013.parquet")
STATE = Path("data/month.txt")  # the newest month that has arrived
MONTHS = [f"2013-{month:02}" for month in range(2, 13)]  # January alone leaves nothing to train on

# Flights of one day share its weather and its jams, so 28,000 flights of one month prove far less than
# 28,000 independent ones would. Every 15th (some 60 a day, from all airports and hours) tells nearly
# as much, and an interval computed from single flights is not absurdly sure of itself.
HOLDOUT_EVERY = 15


def next_month():
    if not STATE.exists():
        return MONTHS[0]
    return next((month for month in MONTHS if month > STATE.read_text().strip()), None)


def flights_through(month):
    """All flights up to the end of `month`; `late` is null for those that never arrived."""
    flights = pl.read_parquet(WAREHOUSE).filter(pl.col("date").dt.strftime("%Y-%m") <= month)
    hour, minute = pl.col("sched_dep_time") // 100, pl.col("sched_dep_time") % 100
    return flights.select(
        pl.format("{}-{}{}-{}", "date", "carrier", "flight", "origin").alias("flight_id"),
        "date",
        pl.col("date").dt.weekday().alias("weekday"),  # 1 is Monday
        (hour + minute / 60).round(2).alias("hour"),
        "carrier",
        "origin",
        "dest",
        "distance",
        "temp",
        "humidity",
        "wind_speed",
        pl.col("precip", "visibility").cast(pl.Float64).round(2),
        (pl.col("arr_delay") >= 15).cast(pl.Int8).alias("late"),  # as the US Department of Transportation counts
    )


def write(flights, path):
    flights.write_csv(path)
    first, last = flights["date"].min(), flights["date"].max()
    print(f"{path:<19} {len(flights):>7,} flights, {first} to {last}, {flights['late'].mean():.1%} late")


def broken(flights):
    """A delivery as they happen: the weather station of one airport reports -999, and a day was sent twice."""
    last = flights["date"].max()
    is_down = (pl.col("origin") == "LGA") & (pl.col("date") == last)
    faulty = flights.with_columns(pl.when(is_down).then(-999).otherwise("temp").alias("temp"))
    return faulty.vstack(faulty.filter(pl.col("date") == last))


def migrated(flights):
    """As the warehouse's new system exports: humidity is a share from 0 to 1, and no longer percent."""
    return flights.with_columns(pl.col("humidity") / 100)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--through", choices=MONTHS, metavar="YYYY-MM", help="2013-02 to 2013-12; default: next month")
    parser.add_argument("--broken", action="store_true", help="with faults in it; the month counts as not arrived yet")
    parser.add_argument("--migrated", action="store_true", help="with another unit in it, in all months")
    args = parser.parse_args()
    month = args.through or next_month()
    if month is None:
        print(f"nothing new: {MONTHS[-1]} is the last month there is")
        return

    flights = flights_through(month)
    if args.migrated:
        flights = migrated(flights)
    labelled = flights.drop_nulls("late")
    is_newest = labelled["date"].dt.strftime("%Y-%m") == month

    print(f"{month} has arrived; left out so far: {len(flights) - len(labelled):,} cancelled or diverted flights")
    training = labelled.filter(~is_newest)
    write(broken(training) if args.broken else training, "data/training.csv")
    write(labelled.filter(is_newest).gather_every(HOLDOUT_EVERY), "data/holdout.csv")
    if not args.broken:
        STATE.write_text(f"{month}\n")


if __name__ == "__main__":
    main()

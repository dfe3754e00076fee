"""Play the passengers: ask the model about every flight when it is booked. Two weeks later it is known which were late.

    python replay.py 2013-06 2013-12                   from June on to the end of the year
    python replay.py 2013-06 --days-per-second 3       June alone, three days a second

Each flight is one request to the endpoint; its id is the flight's. The truth about a day arrives as a file in
data/labels/, so many days later. While there is a file data/hold, the next day does not begin. Ctrl-C ends it.
"""

import argparse
import http.client
import json
import threading
import time
from pathlib import Path

import polars as pl

from fetch_data import MONTHS, flights_through
from train_model import CATEGORIES, NUMBERS

CLIENTS = 48
LABELS = Path("data/labels")
HOLD = Path("data/hold")  # a training takes seconds, in which a month would pass
DELAY = 14  # days


class Passengers:
    """Many clients, each with a connection of its own; together they go through the flights of a day."""

    def __init__(self, host):
        self.host = host
        self.n_failed = 0
        self.lock = threading.Lock()

    def book(self, flights, seconds):
        """Ask about all of these flights, evenly over so many seconds."""
        rows = list(zip(flights["flight_id"], flights.select(CATEGORIES + NUMBERS).to_dicts(), strict=True))
        began = time.monotonic()
        clients = [threading.Thread(target=self.ask, args=(rows, n, began, seconds)) for n in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()

    def ask(self, rows, first, began, seconds):
        connection = http.client.HTTPConnection(self.host, timeout=30)
        for n in range(first, len(rows), CLIENTS):
            time.sleep(max(0.0, began + seconds * n / len(rows) - time.monotonic()))
            flight_id, row = rows[n]
            headers = {"Content-Type": "application/json", "X-Request-Id": flight_id}
            try:
                connection.request("POST", "/predict", json.dumps(row), headers)
                answer = connection.getresponse()
                answer.read()
                is_answered = answer.status == 200
            except (OSError, http.client.HTTPException):
                connection.close()
                is_answered = False
            if not is_answered:
                with self.lock:
                    self.n_failed += 1
        connection.close()


def deliver(flights, day):
    """The truth about the flights of a day; those that never arrived have none. The file appears whole."""
    truth = flights.drop_nulls("late").select(pl.col("flight_id").alias("request_id"), pl.col("late").alias("label"))
    LABELS.mkdir(parents=True, exist_ok=True)
    new = LABELS / f".{day}.csv"
    truth.write_csv(new)
    new.rename(LABELS / f"{day}.csv")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("month", choices=MONTHS, metavar="YYYY-MM")
    parser.add_argument("through", choices=MONTHS, metavar="YYYY-MM", nargs="?", help="default: that month alone")
    parser.add_argument("--days-per-second", type=float, default=0.7)
    parser.add_argument("--endpoint", default="127.0.0.1:8723", metavar="HOST:PORT")
    args = parser.parse_args()

    through = args.through or args.month
    flights = flights_through(through).filter(pl.col("date").dt.strftime("%Y-%m") >= args.month).sort("date", "hour")
    days = flights.partition_by("date", maintain_order=True)
    passengers = Passengers(args.endpoint)
    for n, today in enumerate(days):
        day = today["date"][0]
        while HOLD.exists():
            time.sleep(0.1)
        if day.day == 1:
            print(f"{day:%B}", flush=True)
        passengers.book(today, 1 / args.days_per_second)
        if n >= DELAY:
            deliver(days[n - DELAY], days[n - DELAY]["date"][0])
    print(f"{len(flights):,} flights were asked about, {passengers.n_failed:,} not answered")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass

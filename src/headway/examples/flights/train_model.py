"""Train a model of the chance that a flight arrives late.

    python train_model.py --data data/training.csv --output models/model_v1.pkl
"""

import argparse
import json
import os
import pickle
from pathlib import Path

import polars as pl
import yaml
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from threadpoolctl import threadpool_limits

# Only what is known before the flight leaves. `temp` is left out on purpose: in spring every warm
# day is outside of what the model has seen, and it would take the season for the weather.
CATEGORIES = ["carrier", "origin", "dest"]
NUMBERS = ["weekday", "hour", "distance", "humidity", "wind_speed", "precip", "visibility"]
TARGET = "late"

DEFAULTS = {"learning_rate": 0.2, "n_trees": 50, "max_leaves": 8, "min_flights_per_leaf": 500, "seed": 0}


def read_params():
    """The section `train` of params.yaml, over the defaults; a pipeline's own values, when it hands some over."""
    path = os.environ.get("HEADWAY_PARAMS", "params.yaml")
    if not Path(path).exists():
        return DEFAULTS
    return DEFAULTS | (yaml.safe_load(Path(path).read_text()) or {}).get("train", {})


def build_model(params):
    """A pipeline that takes a data frame (pandas or Polars) with at least these columns."""
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=float("nan"))
    trees = HistGradientBoostingClassifier(
        learning_rate=params["learning_rate"],
        max_iter=params["n_trees"],
        max_leaf_nodes=params["max_leaves"],
        min_samples_leaf=params["min_flights_per_leaf"],
        categorical_features=list(range(len(CATEGORIES))),
        early_stopping=False,
        random_state=params["seed"],
    )
    return make_pipeline(make_column_transformer((encoder, CATEGORIES), ("passthrough", NUMBERS)), trees)


def report(metrics):
    """Print the metrics and, when a pipeline asks for them, append them to its file."""
    for name, value in metrics.items():
        print(f"{name}: {value:.4f}")
    if path := os.environ.get("HEADWAY_METRICS"):
        with open(path, "a") as file:
            file.writelines(json.dumps({"name": name, "value": value}) + "\n" for name, value in metrics.items())


def main():
    params = read_params()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="CSV file to learn from")
    parser.add_argument("--output", required=True, help="file to write the model to")
    parser.add_argument("--seed", type=int, default=params["seed"])
    args = parser.parse_args()

    flights = pl.read_csv(args.data, infer_schema_length=None)
    print(f"loaded {len(flights):,} flights, {flights['date'].min()} to {flights['date'].max()}, from {args.data}")

    features, late = flights.select(CATEGORIES + NUMBERS), flights[TARGET].to_numpy()
    with threadpool_limits(1):  # with more threads the sums, and so the model, depend on the machine
        model = build_model(params | {"seed": args.seed}).fit(features, late)
        risk = model.predict_proba(features)[:, 1]
    report({"train_auc": roc_auc_score(late, risk), "train_log_loss": log_loss(late, risk)})

    output = Path(args.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(pickle.dumps(model))
    print(f"saved {output} ({output.stat().st_size / 1024:.0f} KB)")


if __name__ == "__main__":
    main()

"""Pure numbers: arrays in, frozen results out; no files, clock or randomness, and no notion of gates or models."""

"""What the prediction log is made of: how it is to be kept, and the labels that arrive for it later.

Values only. Does not know files: `tables/prediction_log` writes and reads them.
"""

from msgspec import Struct

from headway.core.facts import Scalar


class Label(Struct, frozen=True, array_like=True):
    """The truth about the prediction `request_id`, known since `at` (UTC seconds).

    `row` counts the rows of that request from 0.
    """

    request_id: str
    label: Scalar
    at: float
    row: int = 0

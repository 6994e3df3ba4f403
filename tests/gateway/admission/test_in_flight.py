from __future__ import annotations

import pytest

from gateway.admission.in_flight import InFlightLimit
from gateway.errors import OverloadedError


def test_in_flight_limit_refuses_above_and_lets_in_after() -> None:
    counts: list[int] = []
    limit = InFlightLimit(2, counts.append)
    with limit, limit:
        with pytest.raises(OverloadedError) as caught, limit:
            pass
        assert caught.value.retry_after_s >= 1
    with limit:
        assert limit.count == 1
    assert counts == [1, 2, 1, 0, 1, 0]

"""Many jobs on one account: nothing is given up, and one rejection costs little (simulated)."""

from __future__ import annotations

import pytest

from tests.scale import scaled
from tests.transport.simulation import ACCOUNT_RATE, simulate


@pytest.mark.torture
@pytest.mark.parametrize("number", scaled([1, 120], [1, 60, 120, 250]))
def test_one_rejected_request_costs_a_job_a_fifth_at_most(number: int) -> None:
    """A lone 429 may be chance, so the job keeps three quarters of its rate."""
    account = simulate(1, 500, rejected_request=number)
    assert account.rejected == 1
    assert len(account.accepted) == 500
    assert account.time_beside_ideal <= 1.2


@pytest.mark.torture
@pytest.mark.parametrize("seed", scaled([1], [1, 2, 3]))
def test_ten_jobs_have_few_rejected_requests(seed: int) -> None:
    """Ten jobs at the full rate each find their part of it."""
    account = simulate(10, 500, seed=seed)
    assert len(account.accepted) == 5000
    assert account.rejected_part <= 0.2
    assert account.time_beside_ideal <= 1.2


@pytest.mark.torture
def test_forty_jobs_give_no_start_up() -> None:
    """The least rates of 40 jobs are above the account's rate, so starts wait for minutes."""
    starts = scaled(150, 250)
    account = simulate(40, starts)
    assert account.given_up == 0
    assert len(account.accepted) == 40 * starts
    assert account.time_beside_ideal <= 1.1


def test_ten_jobs_with_a_tenth_of_the_rate_each_have_no_rejected_request() -> None:
    """`vod:requestsPerSecond` divided by the number of jobs: docs/how-to/share-the-account.md."""
    account = simulate(10, 500, rate=ACCOUNT_RATE / 10)
    assert len(account.accepted) == 5000
    assert account.rejected == 0
    assert account.time_beside_ideal <= 1.05

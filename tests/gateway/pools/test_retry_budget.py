from __future__ import annotations

from gateway.pools.retry_budget import RetryBudget


def withdrawals(budget: RetryBudget, now_s: float) -> int:
    count = 0
    while budget.withdraw(now_s):
        count += 1
    return count


def test_budget_of_an_idle_service_allows_a_few_retries_and_refills() -> None:
    budget = RetryBudget()
    assert withdrawals(budget, 0.0) == 10
    assert withdrawals(budget, 3.0) == 3


def test_budget_under_failure_of_everything_is_a_fifth_of_the_traffic() -> None:
    budget = RetryBudget()
    rate_rps, seconds = 100, 60
    retries = 0
    for number in range(rate_rps * seconds):
        now_s = number / rate_rps
        budget.deposit(now_s)
        retries += budget.withdraw(now_s)
    free = 10 + seconds  # what is free beside the share
    assert retries <= 0.2 * rate_rps * seconds + free
    assert retries >= 0.19 * rate_rps * seconds  # a little is forgotten before it is spent


def test_budget_unspent_is_forgotten() -> None:
    budget = RetryBudget()
    for number in range(1_000):
        budget.deposit(number / 100)
    assert withdrawals(budget, 10.0) > 100
    for number in range(1_000):
        budget.deposit(20.0 + number / 100)
    assert withdrawals(budget, 80.0) <= 11  # six memories later the free ones are left

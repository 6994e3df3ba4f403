"""`python -m loadtest`: load tests and capacity planning. The benches are modules of their own."""

from __future__ import annotations

from loadtest.bench.command import new_app
from loadtest.capacity import cli as capacity
from loadtest.traffic import cli as traffic
from loadtest.tuning import cli as tuning

app = new_app()
app.command(epilog="Example: python -m loadtest run smoke --workers 2")(traffic.run)
app.command(epilog="Example: python -m loadtest worker --master 10.0.0.7")(traffic.worker)
app.command(epilog="Example: python -m loadtest scenarios")(traffic.scenarios)
app.command(epilog="Example: python -m loadtest profile --output .bench/profile.json")(
    capacity.profile
)
app.command(epilog="Example: python -m loadtest plan --rps 20000 --p99 500ms")(capacity.plan)
app.command(epilog="Example: python -m loadtest validate --seconds 30")(capacity.validate)
app.command(
    epilog="Examples: python -m loadtest tune openmoji --p99 300ms --minutes 20; "
    "python -m loadtest tune my-recipe.toml --try text_batch=4,8,16 --try text_delay_us=0,2000"
)(tuning.tune)


@app.callback(no_args_is_help=True)
def main() -> None:
    """Load-test a service, and plan how much of it is needed."""

"""From feedback to the next candidate: joined, weighed, judged against what serves, published."""

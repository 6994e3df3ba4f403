"""`python -m gateway.keys`: makes API keys and checks the file that lists them."""

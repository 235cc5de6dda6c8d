"""How figures and tables look, for the studies and the report."""

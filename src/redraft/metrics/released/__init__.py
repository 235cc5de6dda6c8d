"""The metrics of the paper's released code, to the last bit (`redraft metrics --definitions released`)."""

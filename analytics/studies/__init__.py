"""Studies: checked parameters in, notebooks run, a bundle of results out."""

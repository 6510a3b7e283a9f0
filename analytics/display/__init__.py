"""Display: figures, tables, cards and pages, drawn from Estimates, Listings and Findings alone."""

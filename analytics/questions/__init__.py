"""Questions: one module or package per notebook; Deals in, Estimates, Listings and plain sentences out."""

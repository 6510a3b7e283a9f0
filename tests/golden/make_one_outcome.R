# Reference values for the robust errors of a binomial regression on person-periods; run in tests/golden.
#   Rscript make_one_outcome.R > one_outcome.csv
suppressPackageStartupMessages({library(sandwich)})
pp <- read.csv("inputs/syn_rc_person_period.csv")
pp$account <- pp$id %% 25  # 25 accounts with several deals
cat("link,term,coef,robust_se\n")
for (link in c("cloglog", "logit")) {
  fit <- glm(as.integer(y == 1) ~ factor(pb) + x1 + x2, binomial(link), pp, control = list(epsilon = 1e-14, maxit = 100))
  error <- sqrt(diag(vcovCL(fit, ~account, type = "HC0", cadjust = FALSE)))
  cat(paste(link, names(coef(fit)), sprintf("%.17g", coef(fit)), sprintf("%.17g", error), sep = ","), sep = "\n")
}

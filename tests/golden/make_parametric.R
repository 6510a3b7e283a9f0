# Errors of parametric models with weights and accounts by a jackknife of weights, for parametric.csv:
#   Rscript make_parametric.R > parametric.csv
# survreg(robust = TRUE) sums squares of dfbetas without their weights, so every deal (or account) gets a tenth of a
# percent more and less weight instead, and the squares of what that does are summed.
library(survival)
d <- read.csv("inputs/syn_interval.csv")
d$w <- 0.5 + d$id %% 4
d$account <- d$id %% 13
d$left[d$left == 0] <- NA
how <- survreg.control(rel.tolerance = 1e-14, maxiter = 300)
cat("distribution,clustered,term,coef,robust_se\n")
for (dist in c("weibull", "lognormal", "loglogistic")) for (clustered in 0:1) {
  theta <- function(weight) {
    d$weight <- weight
    f <- survreg(Surv(left, right, type = "interval2") ~ g, d, weights = weight, dist = dist, control = how)
    c(coef(f), log(f$scale))
  }
  unit <- if (clustered) d$account else d$id
  slope <- sapply(unique(unit), function(u) {
    (theta(d$w * ifelse(unit == u, 1.001, 1)) - theta(d$w * ifelse(unit == u, 0.999, 1))) / 0.002
  })
  for (k in 1:3) cat(sprintf("%s,%d,%s,%.15g,%.15g\n", dist, clustered, c("Intercept", "g", "log(scale)")[k],
                             theta(d$w)[k], sqrt(rowSums(slope^2))[k]))
}

# Reference values for hazard models with strata; run in tests/golden.
#   Rscript make_strata.R > strata.csv
suppressPackageStartupMessages({library(survival)})
control <- coxph.control(eps = 1e-12, iter.max = 100, toler.chol = 1e-13)
d <- read.csv("inputs/syn_deals.csv")
d$event <- factor(d$status, 0:3)
out <- data.frame()
keep <- function(key, values)
  out <<- rbind(out, data.frame(key, place = seq_along(values) - 1, value = sprintf("%.17g", as.vector(values))))
for (cause in 1:3) {
  # censorings and entries of each stratum apart: Zhou et al. 2011
  fg <- do.call(rbind, lapply(split(d, d$region), function(part)
    finegray(Surv(entry, exit, event) ~ ., data = part, id = id, etype = as.character(cause))))
  fit <- coxph(Surv(fgstart, fgstop, fgstatus) ~ x1 + x2 + strata(region), data = fg, weights = fgwt, cluster = id,
               ties = "breslow", control = control)
  keep(paste0("fine_gray_coef_", cause), coef(fit))
  keep(paste0("fine_gray_var_", cause), fit$var)
  cox <- coxph(as.formula(paste0("Surv(entry, exit, status == ", cause, ") ~ x1 + x2 + strata(region)")), data = d,
               control = control)
  for (clock in c("km", "identity"))
    keep(paste("zph", clock, cause, sep = "_"), cox.zph(cox, transform = clock)$table[, "chisq"])
}
write.csv(out, quote = FALSE, row.names = FALSE)

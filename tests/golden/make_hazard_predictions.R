# Reference values for the predictions of Fine-Gray models and for hazard ratios by age; run in tests/golden.
#   Rscript make_hazard_predictions.R > hazard_predictions.csv
suppressPackageStartupMessages({library(survival)})
times <- c(10, 20, 30, 45, 60)
profiles <- data.frame(x1 = c(-1, 0, 1.5), x2 = c(0, 1, 1))
out <- data.frame()
keep <- function(key, part, values)
  out <<- rbind(out, data.frame(key, part, place = seq_along(values) - 1, value = sprintf("%.17g", values)))
for (name in c("syn_deals", "syn_deals_rc")) {
  d <- read.csv(file.path("inputs", paste0(name, ".csv")))
  if (name == "syn_deals_rc") d <- d[d$segment != "F", ]  # as in the other references
  d$event <- factor(d$status, 0:max(d$status))
  for (ties in c("breslow", "efron")) {
    for (cause in sort(setdiff(unique(d$status), 0))) {
      # finegray() wants entry as tstart, with the outcome as a multi-state factor
      fg <- if (name == "syn_deals") finegray(Surv(entry, exit, event) ~ ., data = d, id = id, etype = as.character(cause))
            else finegray(Surv(exit, event) ~ ., data = d, etype = as.character(cause))
      fit <- coxph(Surv(fgstart, fgstop, fgstatus) ~ x1 + x2, weights = fgwt, data = fg, ties = ties)
      s <- summary(survfit(fit, newdata = profiles), times = times, extend = TRUE)$surv
      keep(paste("fine_gray", name, ties, sep = "_"), paste0("c", cause), as.vector(1 - s))  # times of profile 1, then 2
    }
  }
}
d <- read.csv("inputs/syn_deals.csv")
cuts <- c(15, 30)
long <- survSplit(Surv(entry, exit, status) ~ ., data = transform(d, status = as.integer(status == 1)), cut = cuts,
                  episode = "band")
bands <- function(key, ties, unit = NULL, w = NULL) {
  call <- list(Surv(entry, exit, status) ~ x1:strata(band) + x2:strata(band), data = long, ties = ties)
  if (!is.null(unit)) call$cluster <- long[[unit]]
  if (!is.null(w)) call$weights <- long[[w]]
  fit <- do.call(coxph, call)
  b <- coef(fit); v <- vcov(fit)
  wald <- function(i) tryCatch({ L <- diff(diag(length(i))); g <- L %*% b[i]; drop(t(g) %*% solve(L %*% v[i, i] %*% t(L), g)) }, error = function(e) NA)
  keep(key, "coef", unname(b)); keep(key, "se", unname(sqrt(diag(v))))  # x1 in bands 1, 2, 3, then x2
  keep(key, "wald", c(wald(1:3), wald(4:6)))
}
for (ties in c("breslow", "efron")) {
  bands(paste0("bands_", ties), ties)
  bands(paste0("bands_by_id_", ties), ties, unit = "id")
  bands(paste0("bands_weights_by_region_", ties), ties, unit = "region", w = "pw")
}
write.csv(out, stdout(), row.names = FALSE, quote = FALSE)

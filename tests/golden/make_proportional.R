# Reference values for the test of proportional hazards by account; run in tests/golden.
#   Rscript make_proportional.R > proportional.csv
suppressPackageStartupMessages({library(survival)})
d <- read.csv("inputs/syn_deals.csv")
d$account <- d$id %% 25
d$won <- as.integer(d$status == 1)
cat("key,place,value\n")
for (w in c("one", "pw")) {
  d$weight <- if (w == "one") 1 else d$pw
  fit <- coxph(Surv(entry, exit, won) ~ x1 + x2, data = d, weights = weight,
               control = coxph.control(eps = 1e-12, iter.max = 100, toler.chol = 1e-13))
  long <- survSplit(Surv(entry, exit, won) ~ ., data = d, cut = sort(unique(d$exit[d$won == 1])))
  long$t1 <- long$x1 * long$exit
  long$t2 <- long$x2 * long$exit
  at <- coxph(Surv(entry, exit, won) ~ x1 + x2 + t1 + t2, data = long, weights = weight, init = c(coef(fit), 0, 0),
              control = coxph.control(iter.max = 0))
  score <- rowsum(residuals(at, "score") * long$weight, long$account)
  info <- solve(if (is.null(at$naive.var)) at$var else at$naive.var)
  moved <- score[, 3:4] - score[, 1:2] %*% solve(info[1:2, 1:2], info[1:2, 3:4])
  C <- nrow(score)
  stat <- function(u) drop(colSums(u) %*% solve(crossprod(u) * C / (C - 1), colSums(u)))
  values <- c(stat(moved[, 1, drop = FALSE]), stat(moved[, 2, drop = FALSE]), stat(moved))
  cat(paste(w, 0:2, sprintf("%.17g", values), sep = ","), sep = "\n")
}

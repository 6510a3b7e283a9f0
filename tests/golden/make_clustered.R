# Reference values that no other key holds: accounts with several deals, accounts shared by two groups, and the delay from
# closing to recording. Run as: Rscript make_clustered.R (in this folder); it writes clustered.csv and delay.csv.
library(survival)
options(digits = 15)
d <- read.csv("inputs/syn_deals.csv")
d$account <- (d$id * 7919) %% 53
d$ev <- factor(d$status, 0:3, c("censor", "c1", "c2", "c3"))
d <- d[d$segment %in% c("A", "B", "C", "D"), ]
d$rowid <- seq_len(nrow(d))
times <- c(14, 28, 42, 63)

# multi-state survfit leaves cluster= aside where id= is given, so residuals are summed by account here
rows <- function(key, group, x, w) {
  assign("x", x, globalenv()); assign("w", w, globalenv())   # residuals() evaluates the call again
  f <- survfit(Surv(entry, exit, ev) ~ 1, data = x, id = rowid, weights = w)
  s <- summary(f, times = times, extend = TRUE)
  r <- residuals(f, times = times, type = "pstate")          # deal x time x state
  do.call(rbind, lapply(1:4, function(j) data.frame(key = key, group = group, outcome = s$states[j], time = times,
    estimate = s$pstate[, j], value = sqrt(colSums(rowsum(w * r[, , j], x$account)^2)),
    accounts = length(unique(x$account)))))
}
out <- rbind(rows("clustered", "all", d, rep(1, nrow(d))), rows("clustered_weights_pw", "all", d, d$pw))
for (g in c("A", "B", "C", "D")) out <- rbind(out, rows("clustered", g, d[d$segment == g, ], rep(1, sum(d$segment == g))))

# covariance of the incidences of two segments that share accounts: product of their residuals summed by account
infl <- function(g) {
  assign("x", d[d$segment == g, ], globalenv())  # residuals() evaluates the call again
  f <- survfit(Surv(entry, exit, ev) ~ 1, data = x, id = rowid)
  r <- residuals(f, times = times, type = "pstate")          # deal x time x state
  a <- factor(x$account, levels = 0:52)
  lapply(1:4, function(j) {
    m <- rowsum(r[, , j], a, reorder = TRUE)
    full <- matrix(0, 53, length(times), dimnames = list(as.character(0:52), NULL))
    full[rownames(m), ] <- m
    full
  })
}
A <- infl("A"); B <- infl("B")
st <- c("(s0)", "c1", "c2", "c3")
for (j in 1:4) out <- rbind(out, data.frame(key = "covariance", group = "A:B", outcome = st[j], time = times,
  estimate = NA, value = colSums(A[[j]] * B[[j]]), accounts = NA))

# mean time in each state to day 60, by account
f <- survfit(Surv(entry, exit, ev) ~ 1, data = d, id = rowid)
r <- residuals(f, times = 60, type = "auc")
m <- rowsum(matrix(r, nrow(d)), d$account)
s <- summary(f, rmean = 60)$table
out <- rbind(out, data.frame(key = "clustered_rmtl", group = "all", outcome = st, time = 60, estimate = s[, "rmean"],
  value = sqrt(colSums(m^2)), accounts = length(unique(d$account))))
write.csv(format(out, digits = 15), "clustered.csv", row.names = FALSE, quote = FALSE)

# delays: closed on day c, recorded x days later, seen only when c + x <= 200 (a linear congruential generator, no seed of R)
u <- numeric(900); z <- 12345
for (i in seq_along(u)) { z <- (z * 1103515245 + 12345) %% 2147483648; u[i] <- z / 2147483648 }
v <- data.frame(closed = floor(200 * u[1:300]), x = floor(-12 * log(1 - u[301:600]) * (u[601:900] > 0.3)))
v$window <- 200 - v$closed
v <- v[v$x <= v$window, ]
f <- survfit(Surv(-window - 1, -x, rep(1, nrow(v))) ~ 1, data = v, conf.type = "log-log")
k <- rev(seq_along(f$time))
before <- function(z, first) c(first, head(z, -1))[k]
delay <- data.frame(time = -f$time[k], estimate = before(f$surv, 1), std_error = before(f$std.err * f$surv, 0),
  conf_low = before(f$lower, NA), conf_high = before(f$upper, NA), n_risk = f$n.risk[k], n_event = f$n.event[k])
write.csv(format(delay, digits = 15), "delay.csv", row.names = FALSE, quote = FALSE)
write.csv(v[, c("x", "window")], "inputs/delays.csv", row.names = FALSE, quote = FALSE)

# Figures for the tests of effect/survival. Run in this folder as: Rscript survival.R
# Writes the data used (lung and mgus2 come with R's package survival) and the figures (name, value).
suppressMessages({library(survival); library(cmprsk)})
out <- list()
put <- function(name, value) out[[length(out) + 1]] <<- data.frame(name = name, value = sprintf("%.15g", as.numeric(value)))

# lung: time in days, status 1 censored, 2 dead. row numbers give weights and clusters, as in the test.
l <- data.frame(days = lung$time, cause = lung$status - 1, sex = lung$sex, ecog = lung$ph.ecog)
i <- seq_len(nrow(l)) - 1
l$w <- 0.5 + (i %% 7) / 4
l$p <- i %% 40
write.csv(l[, c("days", "cause", "sex", "ecog")], "lung.csv", row.names = FALSE, quote = FALSE)

# mgus2: months to a plasma cell malignancy (1) or death without one (2); months serve as days.
m <- data.frame(days = with(mgus2, ifelse(pstat == 0, futime, ptime)), cause = with(mgus2, ifelse(pstat == 0, 2 * death, 1)),
                sex = ifelse(mgus2$sex == "F", 1, 2))
i <- seq_len(nrow(m)) - 1
m$w <- 0.5 + (i %% 7) / 4
m$p <- i %% 300
write.csv(m[, c("days", "cause", "sex")], "mgus2.csv", row.names = FALSE, quote = FALSE)
put("version.R", NA); out[[1]]$value <- as.character(getRversion())
put("version.survival", NA); out[[2]]$value <- as.character(packageVersion("survival"))
put("version.cmprsk", NA); out[[3]]$value <- as.character(packageVersion("cmprsk"))

# Kaplan-Meier with both intervals; conf.type as named.
at <- c(90, 180, 365, 730)
for (type in c("log-log", "plain")) {
  f <- survfit(Surv(days, cause) ~ 1, l, conf.type = type)
  s <- summary(f, times = at)
  for (j in seq_along(at)) {
    n <- sprintf("lung.%s.%d.", type, at[j])
    put(paste0(n, "surv"), s$surv[j]); put(paste0(n, "se"), s$std.err[j])
    put(paste0(n, "low"), s$lower[j]); put(paste0(n, "high"), s$upper[j]); put(paste0(n, "risk"), s$n.risk[j])
  }
  for (q in c(0.25, 0.5, 0.75)) {
    v <- quantile(f, q)
    n <- sprintf("lung.%s.quantile.%g.", type, q)
    put(paste0(n, "value"), v$quantile); put(paste0(n, "low"), v$lower); put(paste0(n, "high"), v$upper)
  }
}
for (tau in c(180, 365, 1022)) {
  s <- summary(survfit(Surv(days, cause) ~ 1, l), rmean = tau)$table
  put(sprintf("lung.rmean.%d.value", tau), s[["rmean"]]); put(sprintf("lung.rmean.%d.se", tau), s[["se(rmean)"]])
}
for (g in 1:2) {
  s <- summary(survfit(Surv(days, cause) ~ 1, l[l$sex == g, ]), rmean = 365)$table
  put(sprintf("lung.rmean.sex%d.value", g), s[["rmean"]]); put(sprintf("lung.rmean.sex%d.se", g), s[["se(rmean)"]])
}
# A cohort where the curve stands at exactly one half for a while.
f <- survfit(Surv(c(10, 20, 30, 40), c(1, 1, 1, 1)) ~ 1, conf.type = "log-log")
put("half.median", summary(f)$table[["median"]])

# The restricted mean's influence, from survfit's own influence of the curve: integral from 0 to tau.
integral <- function(times, values, start, tau) { # values: rows by times
  keep <- times < tau
  cuts <- c(0, times[keep], tau)
  as.vector(cbind(start, values[, keep, drop = FALSE]) %*% diff(cuts))
}
# Weighted, and weighted with clusters: robust standard errors.
for (kind in c("weighted", "clustered")) {
  f <- if (kind == "weighted") survfit(Surv(days, cause) ~ 1, l, weights = w, robust = TRUE, influence = TRUE, conf.type = "log-log")
       else survfit(Surv(days, cause) ~ 1, l, weights = w, cluster = p, influence = TRUE, conf.type = "log-log")
  s <- summary(f, times = at)
  for (j in seq_along(at)) {
    n <- sprintf("lung.%s.%d.", kind, at[j])
    put(paste0(n, "surv"), s$surv[j]); put(paste0(n, "se"), s$std.err[j]); put(paste0(n, "risk"), s$n.risk[j])
    put(paste0(n, "low"), s$lower[j]); put(paste0(n, "high"), s$upper[j])
  }
  put(sprintf("lung.%s.rmean.365.value", kind), integral(f$time, rbind(f$surv), 1, 365))
  put(sprintf("lung.%s.rmean.365.se", kind), sqrt(sum(integral(f$time, f$influence.surv, 0, 365)^2)))
}

# Aalen-Johansen: survfit's multi-state curves.
times <- c(12, 120, 240, 360)
for (kind in c("plain", "weighted", "clustered")) {
  y <- with(m, Surv(days, factor(cause, 0:2, c("censored", "pcm", "death"))))
  f <- if (kind == "plain") survfit(y ~ 1, m, influence = TRUE, conf.type = "log-log")
       else survfit(y ~ 1, m, weights = w, influence = TRUE, conf.type = "log-log")
  s <- summary(f, times = times)
  if (kind == "clustered") { # survival 3.5-3 takes no notice of cluster= in multi-state curves: sum its influence by cluster
    u <- f$influence.pstate[, 1 + findInterval(times, f$time), ] * m$w
    for (k in 1:3) s$std.err[, k] <- sqrt(colSums(rowsum(u[, , k], m$p)^2))
    s$lower[] <- s$upper[] <- NA
  }
  for (j in seq_along(times)) for (k in 0:2) {
    n <- sprintf("mgus2.%s.%d.%d.", kind, k, times[j])
    put(paste0(n, "value"), s$pstate[j, k + 1]); put(paste0(n, "se"), s$std.err[j, k + 1])
    put(paste0(n, "low"), s$lower[j, k + 1]); put(paste0(n, "high"), s$upper[j, k + 1])
  }
  for (k in 0:2) {
    n <- sprintf("mgus2.%s.%d.rmean.240.", kind, k)
    start <- if (k == 0) 1 else 0
    put(paste0(n, "value"), integral(f$time, rbind(f$pstate[, k + 1]), start, 240))
    # survfit gives this influence by row, without the weights, and with a column for time 0.
    u <- integral(f$time, f$influence.pstate[, -1, k + 1], 0, 240)
    if (kind != "plain") u <- u * m$w
    if (kind == "clustered") u <- rowsum(u, m$p)
    put(paste0(n, "se"), sqrt(sum(u^2)))
  }
}
# A large cohort, that of bench/curves/curves.R.
cohort <- function(n) {
  i <- seq_len(n) - 1
  u <- (i * 7919 + 13) %% 1000003 / 1000003
  d <- data.frame(days = floor(-200 * log1p(-u)), cause = ifelse(i %% 4 == 0, 2, 1), w = 0.5 + (i %% 7) / 4)
  d$cause[d$days >= 728] <- 0
  d$days <- pmin(d$days, 728)
  d
}
s <- summary(survfit(Surv(days, cause > 0) ~ 1, cohort(1e6)), times = 700)
put("cohort.1000000.km.700.value", s$surv); put("cohort.1000000.km.700.se", s$std.err)
for (kind in c("plain", "weighted")) {
  x <- cohort(20000)
  if (kind == "plain") x$w <- 1
  s <- summary(survfit(Surv(days, factor(cause, 0:2)) ~ 1, x, weights = w), times = 365)
  for (k in 0:2) {
    put(sprintf("cohort.20000.%s.%d.365.value", kind, k), s$pstate[1, k + 1])
    put(sprintf("cohort.20000.%s.%d.365.se", kind, k), s$std.err[1, k + 1])
  }
}
# The same chance by cmprsk (another variance, Aalen's), and what 1 - KM would say.
ci <- timepoints(with(m, cuminc(days, cause)), 240)
put("mgus2.cmprsk.1.240.value", ci$est[1]); put("mgus2.cmprsk.1.240.se", sqrt(ci$var[1]))
put("mgus2.cmprsk.2.240.value", ci$est[2]); put("mgus2.cmprsk.2.240.se", sqrt(ci$var[2]))
put("mgus2.one_minus_km.240", 1 - summary(survfit(Surv(days, cause == 1) ~ 1, m), times = 240)$surv)

# Log-rank.
test <- function(name, f) {
  put(paste0(name, ".chisq"), f$chisq)
  df <- (if (is.matrix(f$exp)) nrow(f$exp) else length(f$exp)) - 1
  put(paste0(name, ".df"), df); put(paste0(name, ".p"), pchisq(f$chisq, df, lower.tail = FALSE))
  o <- if (is.matrix(f$obs)) rowSums(f$obs) else f$obs
  e <- if (is.matrix(f$exp)) rowSums(f$exp) else f$exp
  for (g in seq_along(o)) { put(sprintf("%s.obs.%d", name, g), o[g]); put(sprintf("%s.exp.%d", name, g), e[g]) }
}
known <- l[!is.na(l$ecog), ]
test("logrank.sex", survdiff(Surv(days, cause) ~ sex, l))
test("logrank.ecog", survdiff(Surv(days, cause) ~ ecog, known))
test("logrank.sex_by_ecog", survdiff(Surv(days, cause) ~ sex + strata(ecog), known))
test("logrank.mgus2_pcm", survdiff(Surv(days, cause == 1) ~ sex, m))
test("logrank.mgus2_any", survdiff(Surv(days, cause > 0) ~ sex, m))
# With weights, and with clusters: the robust score test of Cox regression at 0. It is made from the score residuals.
robust <- function(name, f, p) {
  u <- residuals(f, type = "score", weighted = TRUE)
  u <- rowsum(cbind(u), p)
  total <- colSums(u)
  put(paste0(name, ".chisq"), total %*% solve(crossprod(u), total))
}
zero <- coxph.control(iter.max = 0)
robust("logrank.sex_weighted", coxph(Surv(days, cause) ~ sex, l, weights = w, init = 0, control = zero, ties = "breslow"), seq_len(nrow(l)))
robust("logrank.sex_clustered", coxph(Surv(days, cause) ~ sex, l, weights = w, init = 0, control = zero, ties = "breslow"), l$p)
robust("logrank.ecog_clustered", coxph(Surv(days, cause) ~ factor(ecog), known, init = c(0, 0, 0), control = zero, ties = "breslow"), known$p)
for (x in c(0.1, 10, 100, 1400)) for (df in c(1, 3, 8)) put(sprintf("tail.%g.%d", x, df), pchisq(x, df, lower.tail = FALSE))

write.csv(do.call(rbind, out), "survival.csv", row.names = FALSE, quote = FALSE)

# survfit on the cohort of BenchmarkAalenJohansen in effect/survival: Rscript curves.R [n], 100,000 rows unless said.
# Prints median seconds of three calls and the chances at day 365 with their standard errors.
suppressMessages(library(survival))
n <- as.numeric(c(commandArgs(TRUE), "100000")[1])
i <- seq_len(n) - 1
u <- (i * 7919 + 13) %% 1000003 / 1000003
days <- floor(-200 * log1p(-u))
cause <- ifelse(i %% 4 == 0, 2, 1)
cause[days >= 728] <- 0
days <- pmin(days, 728)
w <- 0.5 + (i %% 7) / 4
y <- Surv(days, factor(cause, 0:2))
seconds <- function(f) median(replicate(3, system.time(f())[["elapsed"]]))
report <- function(name, f) {
  cat(sprintf("%-22s %8.3f s", name, seconds(f)))
  s <- summary(f(), times = 365)
  p <- if (is.null(s$pstate)) s$surv else s$pstate
  cat("  day 365:", sprintf("%.12g", p), " se:", sprintf("%.12g", s$std.err), "\n")
}
cat(R.version.string, " survival", as.character(packageVersion("survival")), " n =", n, "\n")
report("Kaplan-Meier", function() survfit(Surv(days, cause > 0) ~ 1))
report("Aalen-Johansen, no se", function() survfit(y ~ 1, se.fit = FALSE))
report("Aalen-Johansen", function() survfit(y ~ 1))
report("weighted", function() survfit(y ~ 1, weights = w))

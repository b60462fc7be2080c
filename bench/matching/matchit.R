# The same question to MatchIt as to BenchmarkMatching of effect/matching: nearest
# neighbour with replacement on a given propensity score; prints seconds, the fit
# of the score apart.
#
#   Rscript bench/matching/matchit.R 10000 990000
#   go test -run xxx -bench Matching ./effect/matching
#
# The first is of R's MatchIt, as Debian packages it. MatchIt takes one of tied
# neighbours; the Go benchmark averages them all, and works out variances too.
n <- as.integer(commandArgs(TRUE)); cell <- n[1]; others <- n[2]; p <- 30
suppressPackageStartupMessages(library(MatchIt))
set.seed(1)
t <- rep(1:0, c(cell, others))
x <- matrix(rnorm(length(t) * p), ncol = p) + 0.1 * t
fit <- system.time(g <- glm.fit(cbind(1, x), t, family = binomial()))[["elapsed"]]
d <- data.frame(t = t, score = g$fitted.values)
s <- system.time(m <- matchit(t ~ score, d, method = "nearest", distance = d$score, replace = TRUE))
cat(sprintf("%s, MatchIt %s: %d against %d: score %.1f s, matching %.1f s (%.1f s of processor)\n",
  R.version.string, packageVersion("MatchIt"), cell, others, fit, s[["elapsed"]], s[["user.self"]] + s[["sys.self"]]))

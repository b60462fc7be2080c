# Matching with all ties, IPW, AIPW and overlap weights on lalonde_614, with
# standard errors from stacked estimating equations whose derivative is taken
# numerically; MatchIt's propensity score. Writes desc.json.
# Rscript testdata/reference/desc.R, from the root of the module.
d <- read.csv("testdata/reference/lalonde_614.csv")
d$race <- relevel(factor(d$race), "black")
rhs <- ~ age + educ + race + married + nodegree + re74 + re75
tight <- glm.control(epsilon = 1e-15, maxit = 100)
glm1 <- glm(update(rhs, treat ~ .), binomial, d, control = tight)
X <- model.matrix(rhs, d)
X <- cbind(1, scale(X[, -1]))           # same fit, better conditioned
t <- d$treat; n <- nrow(d)
expit <- plogis

# Numeric Jacobian of summed estimating functions, central differences.
jac <- function(f, th) sapply(seq_along(th), function(k) {
  h <- 1e-5 * max(1, abs(th[k])); e <- replace(0 * th, k, h)
  (colSums(f(th + e)) - colSums(f(th - e))) / (2 * h)
})
# psi: n x q estimating functions; th: their solution; L: the figure's gradient.
# Per-person influences of the figure.
influence <- function(psi, th, L) as.vector(-psi(th) %*% t(solve(jac(psi, th))) %*% L)

fit <- function(y, x, w = rep(1, length(y))) coef(suppressWarnings(glm.fit(x, y, weights = w, family = binomial(), control = tight)))
a <- fit(t, X); p <- ncol(X)
w0 <- function(th) (1 - t) * exp(as.vector(X %*% th[1:p]))
one <- function(y, linear) {
  out <- list()
  # ipw: mu1, mu0
  psi <- function(th) cbind(X * (t - expit(as.vector(X %*% th[1:p]))), t * (y - th[p + 1]), w0(th) * (y - th[p + 2]))
  w <- w0(a); m1 <- mean(y[t == 1]); m0 <- sum(w * y) / sum(w)
  I <- influence(psi, c(a, m1, m0), c(rep(0, p), 1, -1))
  out$ipw <- list(expected = m0, effect = m1 - m0, se = sqrt(sum(I^2)), var_comparators = sum(I[t == 0]^2),
                  var_cell = sum(t) / (sum(t) - 1) * sum((I[t == 1] - mean(I[t == 1]))^2))
  # aipw: m on the comparators, then mean over the cell of m, and the weighted rest
  link <- if (linear) identity else expit
  g <- if (linear) lm.fit(X[t == 0, ], y[t == 0])$coefficients else fit(y[t == 0], X[t == 0, ])
  m <- function(b) link(as.vector(X %*% b))
  e1 <- mean(m(g)[t == 1]); rest <- sum(w * (y - m(g))) / sum(w)
  q <- 2 * p
  psi <- function(th) { mm <- m(th[(p + 1):q]); cbind(X * (t - expit(as.vector(X %*% th[1:p]))), X * (1 - t) * (y - mm),
    t * (y - th[q + 1]), t * (mm - th[q + 2]), w0(th) * (y - mm - th[q + 3])) }
  I <- influence(psi, c(a, g, m1, e1, rest), c(rep(0, q), 1, -1, -1))
  out$aipw <- list(expected = e1 + rest, effect = m1 - e1 - rest, se = sqrt(sum(I^2)), var_comparators = sum(I[t == 0]^2),
                   var_cell = sum(t) / (sum(t) - 1) * sum((I[t == 1] - mean(I[t == 1]))^2))
  # overlap
  psi <- function(th) { e <- expit(as.vector(X %*% th[1:p])); cbind(X * (t - e), t * (1 - e) * (y - th[p + 1]), (1 - t) * e * (y - th[p + 2])) }
  e <- expit(as.vector(X %*% a)); o1 <- sum((t * (1 - e) * y)) / sum(t * (1 - e)); o0 <- sum((1 - t) * e * y) / sum((1 - t) * e)
  I <- influence(psi, c(a, o1, o0), c(rep(0, p), 1, -1))
  out$overlap <- list(observed = o1, expected = o0, se = sqrt(sum(I^2)))
  out
}
# Matching, brute force over all pairs.
match <- function(y, k, caliper, exact = rep(1, n)) {
  s <- fitted(glm1); limit <- if (caliper > 0) caliper * sd(s) else Inf
  used <- integer(); fits <- c(); w <- rep(0, n)
  for (i in which(t == 1)) {
    pool <- which(t == 0 & exact == exact[i]); dd <- abs(s[pool] - s[i]); ok <- dd <= limit
    pool <- pool[ok]; dd <- dd[ok]
    if (length(pool) == 0) next
    reach <- sort(dd)[min(k, length(dd))]
    J <- pool[dd <= reach + 1e-12]
    used <- union(used, J); fits <- rbind(fits, c(y[i], mean(y[J]))); w[J] <- w[J] + 1 / length(J)
  }
  w <- w / sum(w)
  list(covered = nrow(fits), effect = mean(fits[, 1] - fits[, 2]), comparators = length(used), effective_n = 1 / sum(w^2), max_weight = max(w))
}
library(MatchIt)
m <- matchit(update(rhs, treat ~ .), d, method = NULL, distance = "glm")
y <- d$re78
res <- list(
  versions = list(R = R.version.string, MatchIt = as.character(packageVersion("MatchIt"))),
  matchit_propensity_first = unname(m$distance[1:5]), matchit_propensity_sd = sd(m$distance),
  nearest = match(y, 1, 0), three = match(y, 3, 0), caliper = match(y, 1, 0.01), exact = match(y, 1, 0, d$married), exact_caliper = match(y, 2, 0.05, d$race),
  amount = one(y, TRUE), share = one(as.numeric(y > 0), FALSE))
cat(jsonlite::toJSON(res, digits = 14, auto_unbox = TRUE, pretty = TRUE), "\n", file = "testdata/reference/desc.json")

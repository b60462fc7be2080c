# Entropy balancing of lalonde_614.csv by Newton's method on the dual, as in R's ebal, and the outcome model by lm
# with those weights. Run: Rscript balance.R > balance_r.json
d <- read.csv("lalonde_614.csv")
one <- d$treat == 1
figures <- function(formula) {
  x <- model.matrix(formula, d)[, -1]
  x <- sweep(x, 2, colMeans(x[one, ]))
  x <- sweep(x, 2, apply(x[!one, ], 2, sd), "/")
  c <- x[!one, ]
  lambda <- rep(0, ncol(c))
  dual <- function(l) { e <- drop(c %*% l); max(e) + log(sum(exp(e - max(e)))) }
  for (i in 1:200) {
    e <- drop(c %*% lambda); w <- exp(e - max(e)); w <- w / sum(w)
    g <- drop(w %*% c)
    if (max(abs(g)) < 1e-13) break
    z <- sweep(c, 2, g)
    step <- solve(crossprod(z, z * w), g)
    s <- 1
    while (s > 1e-9 && dual(lambda - s * step) > dual(lambda)) s <- s / 2
    lambda <- lambda - s * step
  }
  y <- d$re78
  fit <- lm(y[!one] ~ c, weights = w)
  r <- residuals(fit); h <- hatvalues(fit)
  r1 <- y[one] - drop(cbind(1, x[one, ]) %*% coef(fit))
  f <- function(v) sprintf("%.15g", v)
  sprintf('{"att": %s, "effective_n": %s, "max_weight": %s, "var_cell": %s, "hc0": %s, "hc3": %s}',
    f(mean(y[one]) - sum(w * y[!one])), f(1 / sum(w^2)), f(max(w)), f(var(r1) / sum(one)), f(sum((w * r)^2)), f(sum((w * r / (1 - h))^2)))
}
plain <- ~ race + age + educ + married + nodegree + re74 + re75
cat(sprintf('{\n "tool": "R %s",\n "plain": %s,\n "squares": %s,\n "race_by_married": %s\n}\n', getRversion(),
  figures(plain), figures(update(plain, ~ . + I(age^2) + I(educ^2) + I(re74^2) + I(re75^2))),
  figures(~ paste0(race, married) + age + educ + nodegree + re74 + re75)))

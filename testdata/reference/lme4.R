# Random-intercept logistic regression, Laplace: lme4's cbpp data (Lesnoff and
# others 2004, contagious bovine pleuropneumonia in Ethiopian herds), tightly
# optimised, and predicted over expected by herd. Writes lme4.json.
# Rscript testdata/reference/lme4.R, from the root of the module.
suppressPackageStartupMessages(library(lme4))
f <- glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp, binomial,
  control = glmerControl(optimizer = "bobyqa", tolPwrss = 1e-13, optCtrl = list(rhoend = 1e-10, maxfun = 1e5)))
fixed <- plogis(predict(f, re.form = NA)); own <- fitted(f)
by <- function(p) unname(tapply(p * cbpp$size, cbpp$herd, sum))
res <- list(
  versions = list(R = R.version.string, lme4 = as.character(packageVersion("lme4"))),
  cbpp = list(herd = as.integer(cbpp$herd), period = as.integer(cbpp$period), size = cbpp$size, incidence = cbpp$incidence),
  coef = unname(fixef(f)), sd = unname(getME(f, "theta")), loglik = as.numeric(logLik(f)), binomial = sum(lchoose(cbpp$size, cbpp$incidence)),
  intercept = ranef(f)$herd[, 1], predicted = by(own), expected = by(fixed))
cat(jsonlite::toJSON(res, digits = 14, auto_unbox = TRUE, pretty = FALSE), "\n", file = "testdata/reference/lme4.json", sep = "")

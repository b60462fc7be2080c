# Figures for the tests of effect/regress: run as `Rscript robust.R > robust_r.json` in this folder.
# Linear coefficients with robust errors: sandwich and estimatr (HC2, HC3), clubSandwich (CR2, Satterthwaite).
suppressMessages({library(sandwich); library(clubSandwich); library(estimatr)})
num <- function(v) paste0("[", paste(sprintf("%.15g", v), collapse = ", "), "]")
entry <- function(name, fields) paste0("\"", name, "\": {", paste(sprintf("\"%s\": %s", names(fields), sapply(fields, num)), collapse = ", "), "}")
cr2 <- function(m, cluster, type = "CR2") {
  v <- vcovCR(m, cluster = cluster, type = type)
  t <- coef_test(m, vcov = v, test = "Satterthwaite")
  # clubSandwich drops coefficients that lm sets aside.
  list(coef = coef(m)[!is.na(coef(m))], vcov = as.numeric(v), df = t$df_Satt)
}
m <- lm(mpg ~ hp, mtcars)
d <- read.csv("lalonde_614.csv")
d$race <- relevel(factor(d$race), "black")
l <- lm(re78 ~ age + educ + race + married + nodegree + re74 + re75, d)
# Clusters that a covariate is constant in, clusters of one row, and a cluster with a coefficient of its own.
d$place <- (d$age * 7 + d$educ) %% 11
d$high <- as.numeric(d$place > 4)
d$own <- as.numeric(d$place == 3)
p <- lm(re78 ~ age + educ + high, d)
o <- lm(re78 ~ age + own, d)
hc <- function(m, type) list(vcov = as.numeric(vcovHC(m, type = type)), df = coef_test(m, vcov = vcovCR(m, cluster = seq_len(nobs(m)), type = sub("HC", "CR", type)), test = "Satterthwaite")$df_Satt)
cat("{\n", paste(c(
  entry("mtcars", list(mpg = mtcars$mpg, hp = mtcars$hp, cyl = mtcars$cyl)),
  entry("mtcars_hc2", hc(m, "HC2")), entry("mtcars_hc3", hc(m, "HC3")),
  entry("mtcars_hc2_estimatr", list(se = lm_robust(mpg ~ hp, mtcars, se_type = "HC2")$std.error)),
  entry("mtcars_cr2", cr2(m, mtcars$cyl)),
  entry("mtcars_cr2_estimatr", with(lm_robust(mpg ~ hp, mtcars, clusters = cyl, se_type = "CR2"), list(se = std.error, df = df))),
  entry("lalonde_hc2", hc(l, "HC2")), entry("lalonde_hc3", hc(l, "HC3")),
  entry("lalonde_cr2_race", cr2(lm(re78 ~ age + educ, d), as.integer(d$race))),
  entry("place_cr2", cr2(p, d$place)), entry("place_age_cr2", cr2(p, d$age)),
  entry("own_cr2", cr2(o, d$place))), collapse = ",\n "),
  sprintf(",\n \"tool\": {\"R\": \"%s\", \"sandwich\": \"%s\", \"clubSandwich\": \"%s\", \"estimatr\": \"%s\"}\n}\n",
    getRversion(), packageVersion("sandwich"), packageVersion("clubSandwich"), packageVersion("estimatr")), sep = "")

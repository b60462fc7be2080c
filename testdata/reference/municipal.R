# The share expected of each municipality by the line through all the others, with
# the standard error and interval of one more observation: lm and predict for each
# one left out. Written by: Rscript municipal.R > municipal.json
d <- read.csv("benchmark_y30r21_2022qmat02_total.csv", fileEncoding = "UTF-8")
leave <- function(formula, weights, level) {
  d$w <- weights
  rows <- lapply(seq_len(nrow(d)), function(i) {
    fit <- lm(formula, data = d[-i, ], weights = w)
    p <- predict(fit, d[i, ], se.fit = TRUE)
    se <- sqrt(p$se.fit^2 + p$residual.scale^2 / d$w[i])
    data.frame(municipality = d$municipality[i], share = p$fit, se = se, df = p$df,
               low = p$fit - qt((1 + level) / 2, p$df) * se, high = p$fit + qt((1 + level) / 2, p$df) * se,
               leverage = hatvalues(lm(formula, data = d, weights = w))[i])
  })
  do.call(rbind, rows)
}
out <- list(
  versions = R.version.string,
  call = "observed_pct ~ expected_pct + expected_n, weights 1 or expected_n; level 0.95 and 0.9",
  plain = leave(observed_pct ~ expected_pct + expected_n, rep(1, nrow(d)), 0.95),
  weighted = leave(observed_pct ~ expected_pct + expected_n, d$expected_n, 0.9)
)
cat(jsonlite::toJSON(out, digits = NA, auto_unbox = TRUE, pretty = TRUE), "\n")

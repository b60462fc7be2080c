# What a clause pays where the true difference is 0 and the estimate is s T, T of
# Student's t with v degrees of freedom: chance and mean, by numerical integration
# of the rule itself, not of a closed form. Also the chance that a true difference
# lies above a level. R 4.2.2, base only: integrate(), pt(), qt().
# A kink slows integrate down: start where something is paid.
from <- function(pay, k, v) integrate(function(x) pay(x) * dt(x, v), k, Inf, rel.tol = 1e-12, subdivisions = 2000L)$value
rows <- list()
add <- function(...) rows[[length(rows) + 1]] <<- data.frame(...)
for (v in c(3, 8.5, 40, 1e9)) for (s in c(0.02, 1.5)) {
  c95 <- qt(0.975, v)
  add(rule = "lower_limit", v = v, s = s, probability = NA, above = NA, chance = pt(c95, v, lower.tail = FALSE), mean = from(function(x) s * (x - c95), c95, v))
  add(rule = "point", v = v, s = s, probability = NA, above = NA, chance = 0.5, mean = from(function(x) s * x, 0, v))
  for (p in c(0.3, 0.5, 0.9)) for (above in c(0, 0.015)) {
    k <- max(0, above / s + qt(p, v))
    add(rule = "probability", v = v, s = s, probability = p, above = above, chance = pt(k, v, lower.tail = FALSE), mean = from(function(x) s * x, k, v))
  }
}
out <- do.call(rbind, rows)
out[] <- lapply(out, function(x) if (is.numeric(x)) signif(x, 12) else x)
write.csv(out, "without_effect.csv", row.names = FALSE, quote = FALSE)

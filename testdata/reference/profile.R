# Figures for the tests of effect/interval, effect/profile and effect/strata: run as `Rscript profile.R > profile.txt`.
options(digits = 15)
cat(R.version.string, "\nepitools", as.character(packageVersion("epitools")), "\n")
cat("\nbinom.test(65, 100)\n"); print(as.numeric(binom.test(65, 100)$conf.int))
byar <- function(x, z = qnorm(.975)) c(x * (1 - 1/(9*x) - z/(3*sqrt(x)))^3, (x+1) * (1 - 1/(9*(x+1)) + z/(3*sqrt(x+1)))^3)
cat("\nByar 65, and O/E of 895 over 835.883561231\n"); print(byar(65)); print(c(895, byar(895)) / 835.883561231)

p <- c(.01, .02, .03, .04, .05, .2)
cat("\np.adjust, holm and BH\n"); print(p.adjust(p, "holm")); print(p.adjust(p, "BH"))
q <- c(.04, .001, NA, .04, .9, .012, 1, .012, NA, 0)
cat("\np.adjust with ties and NA\n"); print(p.adjust(q, "holm")); print(p.adjust(q, "BH"))

# Direct standardisation: three providers, three strata, a target of shares.
y <- list(
  a = list(c(1,0,1,1,0,1), c(0,0,1,0,1), c(1,1,1,0,1,1,1)),
  b = list(c(0,0,1,0,0,1,0), c(1,1,0,1,1,0), c(1,0,1,1,0)),
  c = list(c(1,1,0,1,1), c(0,1,0,0,0,1,0,1), c(0,1,1,0,0,1)))
n <- sapply(Reduce(function(u, v) Map(c, u, v), y), length)
w <- n / sum(n)
cat("\ntarget\n"); print(as.numeric(w))
for (k in names(y)) {
  count <- sapply(y[[k]], sum); pop <- sapply(y[[k]], length)
  adj <- epitools::ageadjust.direct(count, pop, stdpop = n)
  v <- sapply(y[[k]], var); part <- w^2 * v / pop
  cat("\nprovider", k, ": epitools crude and adjusted, variance sum w^2 s^2/n, Satterthwaite df\n")
  print(c(as.numeric(adj[1:2]), sum(part), sum(part)^2 / sum(part^2 / (pop - 1))))
}

# Entropy balancing in R: Newton's method on the dual with its exact Hessian and a line search, as the package ebal does.
folder <- commandArgs(TRUE)[1]
size <- file.size(file.path(folder, "target.f64")) / 8
target <- readBin(file.path(folder, "target.f64"), "double", size)
x <- t(matrix(readBin(file.path(folder, "x.f64"), "double", file.size(file.path(folder, "x.f64")) / 8), size))
start <- proc.time()
c <- sweep(x, 2, target)
sd <- apply(x, 2, sd)
lambda <- rep(0, size)
for (i in 1:50) {
  e <- drop(c %*% lambda); f <- max(e) + log(sum(exp(e - max(e))))
  w <- exp(e - max(e)); w <- w / sum(w)
  g <- drop(w %*% c)
  if (max(abs(g / sd)) < 1e-10) break
  step <- solve(crossprod(c, c * w) - tcrossprod(g), g)
  s <- 1
  repeat {
    e <- drop(c %*% (lambda - s * step))
    if (max(e) + log(sum(exp(e - max(e)))) <= f + 1e-13 * (1 + abs(f))) break
    s <- s / 2
  }
  lambda <- lambda - s * step
}
took <- proc.time() - start
cat("seconds", took[["elapsed"]], took[["user.self"]] + took[["sys.self"]], "\n")
cat("lambda", sprintf("%.15g", lambda), "\n")

# The logistic fit as an analyst would write it in R. Rscript fit.R FOLDER: prints the seconds of the fit, by the clock and
# of processors, and the coefficients.
folder <- commandArgs(TRUE)[1]
n <- file.size(file.path(folder, "y.f64")) / 8
y <- readBin(file.path(folder, "y.f64"), "double", n)
p <- file.size(file.path(folder, "x.f64")) / 8 / n
x <- matrix(readBin(file.path(folder, "x.f64"), "double", n * p), n, p, byrow = TRUE)
d <- data.frame(y, x[, -1])
rm(x)
invisible(gc())
start <- proc.time()
fit <- glm(y ~ ., binomial(), d)
used <- proc.time() - start
cat("seconds", used[["elapsed"]], used[["user.self"]] + used[["sys.self"]], "\n")
cat("coef", sprintf("%.15g", fit$coefficients), "\n")

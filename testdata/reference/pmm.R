# Variance between units by Paule and Mandel and its median-unbiased form, for
# effect/interval. Rscript testdata/reference/pmm.R > testdata/reference/pmm.json
suppressMessages(library(metafor))
out <- function(name, yi, vi) {
  tau2 <- function(method) rma(yi, vi, method = method, control = list(tol = 1e-14, maxiter = 10000))$tau2
  cat(sprintf('  "%s": {"d": [%s], "v": [%s], "PM": %.15g, "PMM": %.15g}', name,
    paste(sprintf("%.17g", yi), collapse = ", "), paste(sprintf("%.17g", vi), collapse = ", "), tau2("PM"), tau2("PMM")))
}
bcg <- escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
cat("{\n")
cat(sprintf('  "made_by": "R %s, metafor %s, rma(method = PM, PMM)",\n', getRversion(), packageVersion("metafor")))
out("bcg", as.numeric(bcg$yi), as.numeric(bcg$vi)); cat(",\n")
out("four", c(0.05, -0.02, 0.08, -0.06), c(0.0004, 0.0009, 0.0012, 0.0005)); cat(",\n")
out("alike", c(0.01, 0.012, 0.008, 0.0095, 0.0105), c(0.001, 0.002, 0.0015, 0.001, 0.003)); cat("\n}\n")

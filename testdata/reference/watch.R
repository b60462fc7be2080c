# Figures for effect/watch, from data that its tests make by the same rules.
# Rscript watch.R > watch.json
library(sandwich)
options(digits = 15)
say <- function(name, x) cat(sprintf('  "%s": [%s]', name, paste(sprintf("%.12g", x), collapse = ", ")))

# 200 peers with y = 10 x exactly, so that the predicted outcome is 10 x.
# 120 citizens at home, i = 0..119: x = 7 i mod 10 + 1, provider B where
# i mod 3 = 0 and x > 3, or i mod 11 = 0, else A; y = 10 x - (11 - x)^2 / 4 + (i mod 4) at B, 10 x + (i mod 5) at A.
# At B those with i mod 4 = 3 never started.
i <- 0:119
x <- (7 * i) %% 10 + 1
b <- (i %% 3 == 0 & x > 3) | i %% 11 == 0
y <- ifelse(b, 10 * x - (11 - x)^2 / 4 + i %% 4, 10 * x + i %% 5)
chance <- 10 * x
decile <- x # each of the ten values is a tenth of the 120
w <- t.test(chance[b], chance[!b])
f <- mean(b)
started <- !(b & i %% 4 == 3)
s <- t.test(chance[b & started], chance[b & !started])
g <- mean(!started[b])
fit <- lm(I(y - chance) ~ decile, subset = b)
se <- sqrt(vcovHC(fit, type = "HC1")[2, 2])
slope <- coef(fit)[[2]]
n <- sum(b)
# Logistic: the chance of 300 citizens, k = 0..299, is (k mod 9 + 1)/10 and the
# outcome is 1 where (37 k mod 100)/100 lies under it to the power 1.5.
k <- 0:299
p <- (k %% 9 + 1) / 10
z <- as.numeric((37 * k) %% 100 / 100 < p^1.5)
l <- glm(z ~ qlogis(p), family = binomial, epsilon = 1e-14, maxit = 100)
ls <- sqrt(vcovHC(l, type = "HC0")[2, 2])
mid <- function(x, n, xo, no) phyper(x, x + xo, n + no - x - xo, n, lower.tail = FALSE) + dhyper(x, x + xo, n + no - x - xo, n) / 2
cat("{\n")
cat(sprintf('  "made by": "R %s.%s, sandwich %s: t.test, lm with vcovHC HC1, glm with vcovHC HC0, phyper, dhyper"', R.version$major, R.version$minor, packageVersion("sandwich")), ",\n")
say("difference", (1 - f) * c(w$estimate[1] - w$estimate[2], w$conf.int)); cat(",\n")
say("sd", sd(chance)); cat(",\n")
say("since", g * c(s$estimate[1] - s$estimate[2], s$conf.int)); cat(",\n")
say("slope", slope + c(0, -1, 1) * qt(0.975, n - 2) * se); cat(",\n")
say("odds", coef(l)[[2]] + c(0, -1, 1) * qnorm(0.975) * ls); cat(",\n")
say("mid_p", c(mid(5, 20, 3, 60), mid(0, 10, 4, 40), mid(10, 10, 40, 50), mid(30, 4000, 900, 150000), mid(2, 2, 0, 3))); cat("\n}\n")

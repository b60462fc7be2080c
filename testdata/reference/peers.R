# Distances between municipalities and Ward's clusters, by base R: dist,
# mahalanobis, hclust(method = "ward.D2"), cutree. Reads peers_98.csv, writes
# peers.json. With --table as argument it writes the table first: names and expected
# shares are those of the 98 municipalities in jobindsats.dk's measure Y30R21 (2022
# Q2), public statistics, in the file given after it; population and framework
# conditions are drawn with a seed.
# Rscript testdata/reference/peers.R, from the root of the module.
file <- "testdata/reference/peers_98.csv"
args <- commandArgs(trailingOnly = TRUE)
if (length(args) == 2 && args[1] == "--table") {
  public <- read.csv(args[2], encoding = "UTF-8")
  public <- public[order(public$municipality, method = "radix"), ]
  set.seed(98)
  n <- nrow(public); z <- rnorm(n)
  write.csv(data.frame(
    municipality = public$municipality, population = round(exp(rnorm(n, 10.6, 0.7))),
    unemployment_pct = round(4 + 0.8 * z + rnorm(n, 0, 0.5), 3), low_education_pct = round(22 + 3 * z + rnorm(n, 0, 2), 3),
    non_western_pct = round(exp(rnorm(n, 1.8, 0.5)), 3), income = round(exp(rnorm(n, 12.5, 0.12)) - 4000 * z),
    expected_pct = public$expected_pct), file, row.names = FALSE, quote = FALSE)
}
d <- read.csv(file, encoding = "UTF-8", stringsAsFactors = FALSE)
x <- as.matrix(d[, c("unemployment_pct", "low_education_pct", "non_western_pct", "income")])
n <- nrow(x); id <- d$municipality
nearest <- function(m) lapply(seq_len(n), function(i) {
  others <- setdiff(seq_len(n), i)
  id[others[order(signif(m[i, others], 9), id[others], method = "radix")][1:8]]
})
euclid <- as.matrix(dist(scale(x)))
maha <- t(apply(x, 1, function(row) sqrt(mahalanobis(x, row, cov(x)))))
share <- abs(outer(d$expected_pct, d$expected_pct, "-"))
tree <- hclust(dist(scale(x)), method = "ward.D2")
res <- list(
  versions = list(R = R.version.string), conditions = colnames(x), municipality = id,
  euclidean = list(distance = unname(euclid[1:5, ]), nearest = nearest(euclid)),
  mahalanobis = list(distance = unname(maha[1:5, ]), nearest = nearest(maha)),
  expected_share = list(distance = unname(share[1:5, ]), nearest = nearest(share)),
  ward = list(heights = tree$height, clusters = lapply(c("4" = 4, "7" = 7, "12" = 12), function(k) unname(cutree(tree, k)))))
cat(jsonlite::toJSON(res, digits = 14, auto_unbox = TRUE), "\n", file = "testdata/reference/peers.json", sep = "")

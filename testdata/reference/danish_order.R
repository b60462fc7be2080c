# The Danish order of names by ICU, with R's icuSetCollate.
# Written by: LC_ALL=C.UTF-8 Rscript danish_order.R > danish_order.txt
d <- read.csv("benchmark_y30r21_2022qmat02_total.csv", fileEncoding = "UTF-8")
made <- c("Århus", "aalborg", "Ålborg", "Aaby", "Åby", "Aabybro", "Baagø", "Bågø", "By", "Bz", "Fredericia-Nord", "fredericia", "Faaborg", "Fåborg", "Færøerne",
          "Høje Taastrup", "Højer", "Kaas", "Kås", "Kzz", "Lyngby", "Nørre Aaby", "Nørre-Aaby", "Nørre Alslev", "Nørre Ørslev", "Odense Å", "Odense V",
          "Ringkøbing", "Ringkøbing Skjern", "Ring-købing", "Saarup", "Sårup", "Syd", "Süd", "Sud", "Sydfyn", "Thy", "Tübingen", "Tybjerg", "Tyskland", "Tåstrup",
          "Vejle Ø", "Vejle-Ø", "Vejlby", "Væg", "Wedell", "Zealand", "Æbelø", "Äbelø", "Østerby", "Österby", "Øster", "Ødis", "101", "1010", "97", "Aa", "Å", "Ø", "Æ", "Z")
x <- unique(c(d$municipality, made))
icuSetCollate(locale = "da_DK")
cat("#", R.version.string, "ICU", extSoftVersion()["ICU"], "\n")
cat(sort(x), sep = "\n")

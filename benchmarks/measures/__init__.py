"""One benchmark a file: a function `measure(lab)` that yields tables. A new file here is found by itself."""

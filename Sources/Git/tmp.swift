let largestInMemory = 1 << 20

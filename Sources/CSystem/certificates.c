// libgit2 over mbedTLS parses all of the system's certificates whenever it starts: 2.6 ms, a third of what a plan may
// take. Deptool speaks no TLS, so the program brings its own, empty form of the function, which the dynamic linker finds
// before the library's. libgit2 takes its failure as "no certificates here". A libgit2 with another TLS library does not
// call it, and a released tool, whose libgit2 has no TLS, omits it.
#if defined(__linux__) && !defined(DEPTOOL_EMBEDDED)
int mbedtls_x509_crt_parse_file(void *chain, const char *path);

int mbedtls_x509_crt_parse_file(void *chain, const char *path) {
    (void)chain, (void)path;
    return -1;
}
#endif

#include <git2.h>
#include <git2/sys/mempack.h>
#include <zlib.h>  // libgit2 brings it along

// git_libgit2_opts(3) takes a variable number of arguments, which Swift cannot pass. How much of the packs is mapped at once, and
// in pieces of which size, in bytes.
static inline int cgit2_set_mapped_window(size_t window, size_t limit) {
    int result = git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, window);
    return result < 0 ? result : git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, limit);
}

// The directories, separated by colons, that are searched for the configuration files of one level; empty for none.
static inline int cgit2_set_search_path(int level, const char *path) {
    return git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, path);
}

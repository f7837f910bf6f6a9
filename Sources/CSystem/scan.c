// Reading whole directory trees: one call and one piece of memory a tree, so that one memcmp compares it with the last
// read.
#ifndef DEPTOOL_EMBEDDED
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "csystem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// One descriptor stays open a level.
#define DEEPEST 64
// As many symlinks on the way to one file as Linux follows.
#define MOST_LINKS 40
#define NAMES_ONLY -1

struct entry {
    size_t name;  // where it starts in `names`
    uint8_t length;
    uint8_t kind;
    uint64_t stamp[4];
    size_t target;  // of a symlink: where its text starts in `names`
    uint16_t target_length;
    int error;
};

// The state of one thread. Directories use `names` and `entries` as stacks.
struct worker {
    char *names;
    size_t names_size, names_capacity;
    struct entry *entries;
    size_t entries_size, entries_capacity;
    csys_scan *out;
    size_t out_capacity;
    int error;
};

static bool grow(struct worker *w, void **memory, size_t *capacity, size_t needed, size_t width) {
    if (needed <= *capacity) return true;
    size_t bigger = *capacity * 2 > needed ? *capacity * 2 : needed + 1024;
    void *moved = realloc(*memory, bigger * width);
    if (!moved) {
        w->error = -ENOMEM;
        return false;
    }
    *memory = moved;
    *capacity = bigger;
    return true;
}

static uint8_t *append(struct worker *w, size_t count) {
    void *bytes = w->out->bytes;
    if (!grow(w, &bytes, &w->out_capacity, w->out->size + count, 1)) return NULL;
    w->out->bytes = bytes;
    uint8_t *start = w->out->bytes + w->out->size;
    w->out->size += count;
    return start;
}

static _Thread_local const char *comparing;  // the names that `in_git_order` compares

// A directory sorts as if its name ended in '/'.
static int in_git_order(const void *one, const void *other) {
    const struct entry *a = one, *b = other;
    size_t shorter = a->length < b->length ? a->length : b->length;
    int order = memcmp(comparing + a->name, comparing + b->name, shorter);
    if (order) return order;
    unsigned char x = shorter < a->length ? (unsigned char)comparing[a->name + shorter]
                      : a->kind == csys_scan_directory ? '/' : 0;
    unsigned char y = shorter < b->length ? (unsigned char)comparing[b->name + shorter]
                      : b->kind == csys_scan_directory ? '/' : 0;
    return (int)x - (int)y;
}

// False when the entry is gone already.
static bool look(int directory, const char *name, struct entry *entry) {
    struct stat st;
    if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        entry->kind = csys_scan_failed;
        entry->error = errno;
        return errno != ENOENT;
    }
    switch (st.st_mode & S_IFMT) {
        case S_IFREG: entry->kind = st.st_mode & S_IXUSR ? csys_scan_executable : csys_scan_file; break;
        case S_IFDIR: entry->kind = csys_scan_directory; break;
        case S_IFLNK: entry->kind = csys_scan_symlink; break;
        case S_IFIFO: entry->kind = csys_scan_fifo; break;
        case S_IFSOCK: entry->kind = csys_scan_socket; break;
        default: entry->kind = csys_scan_device; break;
    }
    entry->stamp[0] = (uint64_t)st.st_size;
#ifdef __APPLE__
    entry->stamp[1] = (uint64_t)(st.st_mtimespec.tv_sec * 1000000000 + st.st_mtimespec.tv_nsec);
    entry->stamp[2] = (uint64_t)(st.st_ctimespec.tv_sec * 1000000000 + st.st_ctimespec.tv_nsec);
#else
    entry->stamp[1] = (uint64_t)(st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec);
    entry->stamp[2] = (uint64_t)(st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec);
#endif
    entry->stamp[3] = (uint64_t)st.st_ino;
    return true;
}

static void note_failure(struct entry *entry, int error) {
    entry->kind = csys_scan_failed;
    entry->error = error;
}

// Reads the text of a symlink into `text`. False when it is gone already.
static bool read_link(int directory, const char *name, struct entry *entry, char text[PATH_MAX]) {
    ssize_t length = readlinkat(directory, name, text, PATH_MAX);
    if (length < 0 && errno == ENOENT) return false;
    if (length < 0) note_failure(entry, errno);
    else if (length >= PATH_MAX) note_failure(entry, ENAMETOOLONG);
    else entry->target_length = (uint16_t)length;
    return true;
}

// Collects the entries of an open directory, sorted; owns and closes `fd`'s stream only through `stream`.
static int collect(struct worker *w, DIR *stream, bool skip_hidden) {
    int fd = dirfd(stream);
    size_t first = w->entries_size;
    for (;;) {
        errno = 0;
        struct dirent *item = readdir(stream);
        if (!item) {
            if (errno) return errno;
            break;
        }
        const char *name = item->d_name;
        if (name[0] == '.' && (skip_hidden || !name[1] || (name[1] == '.' && !name[2]))) continue;
        size_t length = strlen(name);
        if (length > 255) return ENAMETOOLONG;
        struct entry entry = {.name = w->names_size, .length = (uint8_t)length};
        char text[PATH_MAX];
        if (item->d_type == DT_DIR)
            entry.kind = csys_scan_directory;
        else if (item->d_type == DT_LNK)
            entry.kind = csys_scan_symlink;
        else if (!look(fd, name, &entry))
            continue;
        if (entry.kind == csys_scan_symlink && !read_link(fd, name, &entry, text)) continue;
        entry.target = entry.name + length + 1;
        void *names = w->names, *entries = w->entries;
        if (!grow(w, &names, &w->names_capacity, entry.target + entry.target_length, 1)) return ENOMEM;
        w->names = names;
        if (!grow(w, &entries, &w->entries_capacity, w->entries_size + 1, sizeof entry)) return ENOMEM;
        w->entries = entries;
        memcpy(w->names + w->names_size, name, length + 1);
        memcpy(w->names + entry.target, text, entry.target_length);
        w->names_size = entry.target + entry.target_length;
        w->entries[w->entries_size++] = entry;
    }
    comparing = w->names;
    if (w->entries_size > first)
        qsort(w->entries + first, w->entries_size - first, sizeof(struct entry), in_git_order);
    return 0;
}

// Appends the records of the directory `name` in `parent`: what is in it, and below: at most `levels` more, or
// nothing when that is NAMES_ONLY. Their number is added to `count`. Returns an errno; what was appended is then to be dropped by the caller.
static int scan(struct worker *w, int parent, const char *name, bool skip_hidden, int levels, uint32_t *count) {
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return errno;
    DIR *stream = fdopendir(fd);
    if (!stream) {
        int error = errno;
        close(fd);
        return error;
    }
    size_t names = w->names_size, first = w->entries_size;
    int error = collect(w, stream, skip_hidden);
    size_t last = w->entries_size;
    for (size_t i = first; i < last && !error; i++) {
        struct entry entry = w->entries[i];
        size_t start = w->out->size;
        uint8_t *out = append(w, 2 + (size_t)entry.length);
        if (!out) break;
        out[0] = entry.kind;
        out[1] = entry.length;
        memcpy(out + 2, w->names + entry.name, entry.length);
        if (entry.kind == csys_scan_directory) {
            uint32_t below = 0;
            size_t lengths = w->out->size;
            if (!append(w, 8)) break;
            // A copy: the names may move while the directory is read.
            char path[256];
            memcpy(path, w->names + entry.name, (size_t)entry.length + 1);
            int failure = levels == NAMES_ONLY ? 0
                          : levels == 0        ? ENAMETOOLONG
                                               : scan(w, fd, path, false, levels - 1, &below);
            uint64_t size = w->out->size - lengths - 8;
            if (!failure && size > UINT32_MAX) failure = EFBIG;
            if (failure == ENOENT) {
                w->out->size = start;
                continue;
            }
            if (failure) {
                w->out->size = lengths;
                note_failure(&entry, failure);
                w->out->bytes[start] = entry.kind;
            } else {
                uint32_t size32 = (uint32_t)size;
                memcpy(w->out->bytes + lengths, &below, 4);
                memcpy(w->out->bytes + lengths + 4, &size32, 4);
                *count += below;
            }
        }
        if (entry.kind == csys_scan_file || entry.kind == csys_scan_executable) {
            if (!(out = append(w, 32))) break;
            memcpy(out, entry.stamp, 32);
        } else if (entry.kind == csys_scan_symlink) {
            if (!(out = append(w, 2 + (size_t)entry.target_length))) break;
            memcpy(out, &entry.target_length, 2);
            memcpy(out + 2, w->names + entry.target, entry.target_length);
            w->out->links += 1;
        } else if (entry.kind == csys_scan_failed) {
            int32_t number = entry.error;
            if (!(out = append(w, 4))) break;
            memcpy(out, &number, 4);
        }
        *count += 1;
    }
    w->names_size = names;
    w->entries_size = first;
    closedir(stream);
    return error;
}

static void release(struct worker *w) {
    free(w->names);
    free(w->entries);
}

int csys_scan_names(const char *path, csys_scan *out) {
    struct worker w = {.out = out};
    uint32_t count = 0;
    *out = (csys_scan){0};
    int fd = csys_open_directory(path);
    if (fd < 0) return fd;
    int error = scan(&w, fd, ".", true, NAMES_ONLY, &count);
    close(fd);
    release(&w);
    out->count = count;
    if (w.error) error = -w.error;
    return -error;
}

struct job {
    int directory;
    const char *const *names;
    size_t count;
    csys_scan *out;
    atomic_size_t next;
};

static void *work(void *argument) {
    struct job *job = argument;
    struct worker w = {0};
    for (;;) {
        size_t i = atomic_fetch_add(&job->next, 1);
        if (i >= job->count) break;
        uint32_t count = 0;
        w.out = &job->out[i];
        w.out_capacity = 0;
        w.error = 0;
        int error = scan(&w, job->directory, job->names[i], true, DEEPEST, &count);
        w.out->count = count;
        w.out->error = w.error ? w.error : -error;
    }
    release(&w);
    return NULL;
}

int csys_scan_trees(const char *path, const char *const *names, size_t count, int threads, csys_scan *out) {
    struct job job = {.names = names, .count = count, .out = out};
    memset(out, 0, count * sizeof *out);
    job.directory = csys_open_directory(path);
    if (job.directory < 0) return job.directory;
    pthread_t others[8];
    int started = 0;
    while (started < threads - 1 && started < 8 && pthread_create(&others[started], NULL, work, &job) == 0) started++;
    work(&job);
    for (int i = 0; i < started; i++) pthread_join(others[i], NULL);
    close(job.directory);
    return 0;
}

static int dup_directory(int directory) {
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int csys_scan_directory_at(int directory, csys_scan *out) {
    struct worker w = {.out = out};
    uint32_t count = 0;
    *out = (csys_scan){0};
    int error = scan(&w, directory, ".", false, DEEPEST, &count);
    out->count = count;
    release(&w);
    return w.error ? w.error : -error;
}

int csys_open_beneath(int root, const char *path, bool is_directory) {
    int directory = root;
    for (;;) {
        const char *slash = strchr(path, '/');
        size_t length = slash ? (size_t)(slash - path) : strlen(path);
        bool is_last = !slash;
        if (is_last && length == 0) return directory == root ? dup_directory(root) : directory;
        char name[256];
        int fd = -1, error = ENAMETOOLONG;
        if (length < sizeof name) {
            memcpy(name, path, length);
            name[length] = 0;
            int flags = !is_last || is_directory ? O_DIRECTORY : O_NONBLOCK;
            fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | flags);
            error = errno;
        }
        if (directory != root) close(directory);
        if (fd < 0) return -error;
        if (is_last) return fd;
        directory = fd;
        path = slash + 1;
    }
}

// Appends `text` to what is left of the way; false if that becomes too long.
static bool prepend(char rest[PATH_MAX], const char *text, size_t length) {
    size_t old = strlen(rest);
    bool has_slash = old > 0;
    if (length + has_slash + old >= PATH_MAX) return false;
    memmove(rest + length + has_slash, rest, old + 1);
    memcpy(rest, text, length);
    if (has_slash) rest[length] = '/';
    return true;
}

int csys_follow(int root, const char *path, char *real, size_t size, csys_stat *out) {
    char rest[PATH_MAX] = "";
    if (!prepend(rest, path, strlen(path))) return -ENAMETOOLONG;
    if (size == 0) return -ENAMETOOLONG;
    real[0] = 0;
    int links = 0, directory = dup_directory(root);
    if (directory < 0) return directory;
    int result = 0;
    for (;;) {
        if (rest[0] == '/') {
            result = -EXDEV;
            break;
        }
        size_t length = strcspn(rest, "/");
        char name[256];
        if (length > 255) {
            result = -ENAMETOOLONG;
            break;
        }
        memcpy(name, rest, length);
        name[length] = 0;
        size_t slashes = strspn(rest + length, "/");
        bool is_last = rest[length + slashes] == 0;
        memmove(rest, rest + length + slashes, strlen(rest + length + slashes) + 1);
        if (length == 0 || strcmp(name, ".") == 0) {
            if (!is_last) continue;
            result = csys_fstat(directory, out);
            break;
        }
        size_t way = strlen(real);
        if (strcmp(name, "..") == 0) {
            if (way == 0) {
                result = -EXDEV;
                break;
            }
            // From the root again: what `..` of a directory is can change.
            char *slash = strrchr(real, '/');
            *(slash ? slash : real) = 0;
            close(directory);
            directory = csys_open_beneath(root, real, true);
            if (directory < 0) return directory;
            if (!is_last) continue;
            result = csys_fstat(directory, out);
            break;
        }
        result = csys_lstat_at(directory, name, out);
        if (result < 0) break;
        if (out->kind == csys_kind_symlink) {
            char text[PATH_MAX];
            ssize_t read = readlinkat(directory, name, text, sizeof text);
            if (read < 0 || read == PATH_MAX || ++links > MOST_LINKS || !prepend(rest, text, (size_t)read)) {
                result = read < 0 ? -errno : links > MOST_LINKS ? -ELOOP : -ENAMETOOLONG;
                break;
            }
            continue;
        }
        if (way + (way > 0) + length + 1 > size) {
            result = -ENAMETOOLONG;
            break;
        }
        if (way) real[way++] = '/';
        memcpy(real + way, name, length + 1);
        // `file/` is no file.
        if (is_last && !slashes) break;
        int next = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0) {
            result = -errno;
            break;
        }
        close(directory);
        directory = next;
        if (!is_last) continue;
        result = csys_fstat(directory, out);
        break;
    }
    close(directory);
    return result;
}

void csys_scan_free(csys_scan *scan) {
    free(scan->bytes);
    *scan = (csys_scan){0};
}

bool csys_same(const void *one, const void *other, size_t count) { return memcmp(one, other, count) == 0; }

int64_t csys_realpath(const char *path, char *buffer, size_t size) {
    char *resolved = realpath(path, NULL);
    if (!resolved) return -errno;
    size_t length = strlen(resolved);
    if (length <= size) memcpy(buffer, resolved, length);
    free(resolved);
    return length <= size ? (int64_t)length : -ENAMETOOLONG;
}
#endif

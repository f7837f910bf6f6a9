// The operating system as Deptool uses it, on the client and on a host: the one place that handles the differences
// between Linux with glibc, Linux with musl, and macOS.
//
// Every function returns zero or a positive result, or a negated errno. None keeps a pointer that it is given.
#ifndef CSYSTEM_H
#define CSYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "csystem_future.h"

// Files ---------------------------------------------------------------------------------------------------------

typedef enum : uint8_t {
    csys_kind_regular,
    csys_kind_directory,
    csys_kind_symlink,
    csys_kind_other,
} csys_kind;

typedef struct {
    csys_kind kind;
    uint32_t mode;  // permission bits only, 07777
    uint32_t uid;
    uint32_t gid;
    uint64_t size;  // bytes
    uint64_t inode;
    uint64_t device;
    int64_t mtime_ns;  // since the epoch
    int64_t ctime_ns;
} csys_stat;

int csys_lstat(const char *path, csys_stat *out);
int csys_fstat(int fd, csys_stat *out);

// Opens the directory `path` below `root`, component by component, for the `_at` functions; close it with csys_close. A
// symlink is followed only if no one but root and this process's user could have created it. Returns -EXDEV for others,
// and for a directory of one user within that of another. `is_ours` is set if only these two could have created the
// entries.
int csys_walk(const char *root, const char *path, bool *is_ours);

// The reason, as an errno, why even root cannot create or replace an object with this name: EROFS, EBUSY for a mount
// point, EPERM for an immutable or append-only object. Zero if the kernel reports none.
int csys_hindrance(int directory, const char *name);

// The id of the mount that a path is on; zero if the kernel does not report it (before 5.8), or if the path does not exist.
uint64_t csys_mount_id(const char *path);

// Opens the regular file that a symlink leads to, by the rules of csys_walk: -EXDEV if it leads through another user's
// symlink, or not to a regular file.
int csys_open_target(const char *root, const char *path);

// Descriptors are close-on-exec. The `_at` functions take a name in a directory and never follow a symlink.
int csys_lstat_at(int directory, const char *name, csys_stat *out);
int csys_open_read_at(int directory, const char *name);
int csys_create_new_at(int directory, const char *name, uint32_t mode);
int csys_open_append_at(int directory, const char *name, uint32_t mode);
int csys_reopen_directory(int directory);  // from csys_walk, for reading and syncing
int csys_open_read(const char *path);  // a regular file; a symlink as last component is ELOOP, never waits
int csys_open_directory(const char *path);
int csys_create_new(const char *path, uint32_t mode);  // EEXIST if there is anything at path; mode as is, no umask
int csys_open_append(const char *path, uint32_t mode);  // created if missing; readable too
int csys_close(int fd);

int64_t csys_read(int fd, void *buffer, size_t count);  // retries EINTR
int64_t csys_write(int fd, const void *buffer, size_t count);  // retries EINTR; may be short
int csys_truncate(int fd, uint64_t size);
int csys_seek(int fd, uint64_t offset);
int csys_fsync(int fd);
int csys_syncfs(int fd);  // the whole filesystem that fd is on
bool csys_is_open_for_writing(int fd);  // false if the kernel does not tell: for another's file, or without leases (fcntl(2))
void csys_start_writeback(int fd);  // sync_file_range(2); where there is none, nothing
int csys_clone(int to, int from);  // reflink; ENOTSUP or similar where the filesystem has none
int csys_try_lock(int fd);  // exclusive flock; EWOULDBLOCK when held by another

int csys_disk(const char *path, uint64_t *size, uint64_t *available);  // bytes; of the file system, for anybody
// Bytes and inodes that root can still use; inodes are UINT64_MAX if the file system creates them on demand.
int csys_room(const char *path, uint64_t *bytes, uint64_t *inodes);
int csys_is_ramfs(int directory);  // 1 or 0
int csys_is_memory(int directory);  // 1 or 0: tmpfs or ramfs
int csys_mount_ramfs(const char *path);  // over the directory; mode 0711
int csys_unmount(const char *path);  // once it is unused
int csys_rename(const char *from, const char *to);
int csys_unlink(const char *path);
int csys_rmdir(const char *path);
int csys_mkdir(const char *path, uint32_t mode);  // mode as is, no umask
int csys_symlink(const char *target, const char *path);
int csys_set_mtime(const char *path, int64_t mtime_ns);  // of the path itself, not what a symlink points to

// The treatment of an existing object with the new name; the values are those of renameat2(2).
typedef enum : uint8_t {
    csys_rename_over = 0,  // it goes
    csys_rename_exclusive = 1,  // EEXIST
    csys_rename_exchange = 2,  // it gets the old name
} csys_renaming;
// EINVAL or ENOSYS if the file system or the kernel can only rename over.
int csys_rename_at(int from, const char *name, int to, const char *new_name, csys_renaming how);
int csys_link_at(int from, const char *name, int to, const char *new_name);  // a hard link
int csys_symlink_at(const char *target, int directory, const char *name);
int64_t csys_readlink_at(int directory, const char *name, void *buffer, size_t size);  // length, not terminated
int csys_unlink_at(int directory, const char *name);
int csys_rmdir_at(int directory, const char *name);
int csys_mkdir_at(int directory, const char *name, uint32_t mode);  // mode as is; only where no one else can replace it
int csys_mkdir_as(int directory, const char *name, uint32_t mode, uint32_t uid, uint32_t gid);  // with that user's rights
int csys_remove_tree_at(int directory, const char *name);  // whatever is there, with all that is below it
int csys_remove_tree(const char *path);

void csys_random(void *buffer, size_t count);  // at most 256 bytes
int csys_fchmod(int fd, uint32_t mode);
int csys_fchown(int fd, uint32_t uid, uint32_t gid);
int csys_fset_mtime(int fd, int64_t mtime_ns);
int64_t csys_flistxattr(int fd, void *buffer, size_t size);  // names, each terminated; 0 where unsupported
int64_t csys_fgetxattr(int fd, const char *name, void *buffer, size_t size);
int64_t csys_getxattr(const char *path, const char *name, void *buffer, size_t size);  // of a symlink itself
int csys_fsetxattr(int fd, const char *name, const void *value, size_t size);

typedef struct csys_directory csys_directory;  // an open directory
int csys_opendir(const char *path, csys_directory **out);
int csys_opendir_fd(int fd, csys_directory **out);  // which it closes
// 1 and the name, valid until the next call, and its kind (csys_kind_other if the filesystem does not report it); 0 at
// the end. Omits "." and "..".
int csys_readdir(csys_directory *directory, const char **name, csys_kind *kind);
void csys_closedir(csys_directory *directory);

// Scanning, on the client only ----------------------------------------------------------------------------------

// The contents of a directory and its subdirectories, as records in the order of Git's trees, unaligned, in native byte order:
//   uint8 kind; uint8 length of the name; the name; then, of
//     file, executable  uint64 size, mtime (ns), ctime (ns), inode
//     directory         uint32 records below it, uint32 their bytes, the records
//     symlink           uint16 length of its text, the text
//     failed            int32 errno of the attempt to examine it
// "executable" is a regular file that its owner may execute. Entries that vanish meanwhile are omitted.
typedef enum : uint8_t {
    csys_scan_file = 1,
    csys_scan_executable,
    csys_scan_directory,
    csys_scan_symlink,
    csys_scan_fifo,
    csys_scan_socket,
    csys_scan_device,
    csys_scan_failed,
} csys_scan_kind;

typedef struct {
    uint8_t *bytes;  // null when empty
    size_t size;
    uint32_t count;  // records, at all levels
    uint32_t links;  // symlinks among them
    int error;  // zero, or a negated errno: the directory itself could not be read
} csys_scan;

// Scans one level: directories have no records below them. Omits names that start with '.'.
int csys_scan_names(const char *path, csys_scan *out);
// Scans the directories `names` of `path`, at most 64 levels each, with this many threads. Omits names that start with
// '.' on the first level. `out` has `count` items; free each one whatever is returned.
int csys_scan_trees(const char *path, const char *const *names, size_t count, int threads, csys_scan *out);
// Scans an open directory, at most 64 levels.
int csys_scan_directory_at(int directory, csys_scan *out);
void csys_scan_free(csys_scan *scan);

// Resolves `path` below the directory `root`, through symlinks that stay below it. `real` becomes the path of that
// without symlinks, relative to `root`, terminated. Never opens or examines anything elsewhere: -EXDEV for a symlink
// that is absolute or leads above `root`. -ELOOP after 40 symlinks.
int csys_follow(int root, const char *path, char *real, size_t size, csys_stat *out);
// Opens a path below the directory `root` component by component, through no symlink: -ELOOP or -ENOTDIR. Never waits.
// The empty path is `root`.
int csys_open_beneath(int root, const char *path, bool is_directory);
bool csys_same(const void *one, const void *other, size_t count);  // memcmp(3)

int64_t csys_realpath(const char *path, char *buffer, size_t size);  // length, not terminated

// Processes -----------------------------------------------------------------------------------------------------

// Starts a program, searched in PATH, with the three descriptors as its standard ones, in its own process group, with
// default signals; returns the pid. The arguments, the name first, follow one another, each terminated.
int csys_spawn(const void *arguments, size_t size, size_t count, int in, int out, int err);
// The status as a shell reports it: exit code, or 128 + signal. -EAGAIN if wait is false and the process is running.
int csys_wait(int pid, bool wait);
int csys_kill(int pid, int signal);
int csys_kill_group(int pid, int signal);
int csys_fork(void);
int csys_setsid(void);
int csys_getpid(void);
void csys_zero(void *buffer, size_t count);  // not optimized away
int csys_getuid(void);
int csys_getgid(void);
void csys_exit(int status) __attribute__((noreturn));
// Ends the program as Ctrl-C does: after an exit, a shell goes on with what comes next.
void csys_end_by_interrupt(void) __attribute__((noreturn));
void csys_ignore_hangup_and_pipe(void);
void csys_set_umask(uint32_t mask);

int csys_pipe(int *read_end, int *write_end);
int csys_socketpair(int *one, int *other);
int csys_open_null(void);

typedef struct {
    int fd;  // negative: ignored
    bool readable;  // asked for, and answered; end of file and errors count as readable
    bool writable;
} csys_poll_item;
// The number of ready items; 0 after the timeout. A negative timeout waits forever. EINTR is returned.
int csys_poll(csys_poll_item *items, size_t count, int64_t timeout_ms);

#ifndef DEPTOOL_EMBEDDED
// The terminal and the local time: the client only ----------------------------------------------------------------

int csys_terminal_columns(int fd);  // zero where there is no terminal
int csys_terminal_rows(int fd);
// Formats local time as `2026-11-21 07:47`; returns the length.
int64_t csys_local_time(int64_t seconds, char *buffer, size_t size);
// Sets whether the terminal shows typed text; 0, or an error if there is no terminal.
int csys_set_echo(int fd, bool shown);
// Keeps other files from getting the numbers of closed standard descriptors, and ignores SIGPIPE: a write to a reader
// that is gone fails with EPIPE instead of ending the program.
void csys_prepare_standard_descriptors(void);
void csys_ignore_hangup(bool ignored);  // SIGHUP: ignored, or as it was before
void csys_catch_interrupts(bool caught);  // whether SIGINT and SIGTERM are caught, or end the program
// A path that csys_exit removes, and so does a signal that ends the program, after csys_end_by_signals: a file, or an empty directory. The
// newest goes first. Null without memory.
typedef struct csys_leftover csys_leftover;
csys_leftover *csys_remove_at_end(const char *path, bool is_directory);
void csys_forget(csys_leftover *leftover);
void csys_remove_leftovers(void);
void csys_end_by_signal(int number);  // a signal
void csys_end_by_signals(void);  // those that are not ignored
int csys_wait_interrupt(void);  // waits for the next of them, once they are caught
uint32_t csys_interrupts(void);  // how many were caught
int csys_duplicate(int fd);  // above the standard ones, close-on-exec
typedef enum : uint8_t {
    csys_group_own,  // as csys_spawn
    csys_group_shared,  // this process's own group, so that the program may read from the terminal
    csys_group_session,  // a session of its own, so that the program has no terminal for prompts
} csys_group;
int csys_spawn_in(csys_group group, const void *arguments, size_t size, size_t count, int in, int out, int err);
int64_t csys_own_path(char *buffer, size_t size);  // of the running program; the length
// Creates a private directory in the directory for temporary files; returns the length of its path.
int64_t csys_make_temporary_directory(char *buffer, size_t size);
int csys_make_directory_plain(const char *path);  // with the umask; EEXIST if there is anything
int64_t csys_working_directory(char *buffer, size_t size);
// Overwrites and removes every file in a directory of this user's, then the directory.
int csys_wipe_directory(const char *path);
#endif

// Threads -------------------------------------------------------------------------------------------------------

// Runs `body(context)` on a new thread, which ends with it. EAGAIN if no more threads can be created. With `thread`,
// the caller has to join it.
int csys_thread_start(void (*body)(void *context), void *context, uintptr_t *thread);
void csys_thread_join(uintptr_t thread);  // returns when nothing of the thread is left

// Raises the limit on open files of this process to this number, or as far as permitted.
void csys_allow_descriptors(uint64_t count);

// A mutex and a condition variable.
typedef struct csys_monitor csys_monitor;
csys_monitor *csys_monitor_create(void);
void csys_monitor_free(csys_monitor *monitor);
void csys_monitor_lock(csys_monitor *monitor);
void csys_monitor_unlock(csys_monitor *monitor);
// Releases the lock while it waits, and returns when woken or after the timeout; a negative timeout waits forever.
void csys_monitor_wait(csys_monitor *monitor, int64_t timeout_ms);
void csys_monitor_wake_all(csys_monitor *monitor);

// Sockets, close-on-exec and non-blocking -----------------------------------------------------------------------

int csys_socket(int family, int type);
// Starts to connect to 4 bytes of an IPv4 address or 16 of an IPv6 address; the socket becomes writable when connected or
// failed.
int csys_connect_address(const uint8_t *address, size_t length, uint16_t port, bool datagram);
// 0, or why it failed. A socket that is connected to itself counts as refused, since the port has no listener.
int csys_connect_result(int fd);
// -EAGAIN while the listener's backlog is full.
int csys_connect_unix(const char *path);
int csys_listen_unix(const char *path);
int csys_accept(int listener);

// As read(2) and write(2), on a socket: no SIGPIPE; EINTR is retried; -EAGAIN if it would wait.
int64_t csys_receive(int fd, void *buffer, size_t count);
int64_t csys_peek(int fd, void *buffer, size_t count);  // leaves it there to be received
int64_t csys_send(int fd, const void *buffer, size_t count);
int csys_shutdown(int fd);  // both directions
int csys_shutdown_writing(int fd);
int csys_set_nonblocking(int fd);

#ifndef DEPTOOL_EMBEDDED
// The network and the operator's own account: the client only ----------------------------------------------------

typedef enum : uint8_t {
    csys_family_any,
    csys_family_inet,
    csys_family_inet6,
} csys_family;

typedef struct csys_lookup csys_lookup;  // the addresses of a name
// Starts getaddrinfo(3) on its own thread, because nothing can interrupt it. `ready` becomes readable when it is done,
// and belongs to the lookup.
int csys_lookup_start(const char *name, uint16_t port, csys_family family, csys_lookup **out, int *ready);
// The number of addresses, once ready. -ENOENT: no such name; -EAGAIN: the resolver does not answer.
int csys_lookup_count(csys_lookup *lookup);
// Frees the lookup, now or when its thread returns.
void csys_lookup_free(csys_lookup *lookup);
// Starts to connect a non-blocking socket to the address at `index`, with TCP_NODELAY; it becomes writable when
// connected or failed.
int csys_connect_start(csys_lookup *lookup, size_t index);
int64_t csys_address_text(csys_lookup *lookup, size_t index, char *buffer, size_t size);  // numeric; the length

// For the operator's own files, which may be symlinks. Unlike the functions above, these follow them.
int csys_open_followed(const char *path);
int csys_open_append_followed(const char *path, uint32_t mode);

// Gets the name and the home directory from the account database, each terminated.
int csys_account(char *name, size_t name_size, char *home, size_t home_size);
int64_t csys_user_name(uint32_t uid, char *buffer, size_t size);  // the length
// Whether the group is private to this user: the primary group, with the same name and no other member.
bool csys_is_private_group(uint32_t gid);
#endif

// The rest ------------------------------------------------------------------------------------------------------

int64_t csys_monotonic_ns(void);
int64_t csys_realtime_ns(void);
int64_t csys_nodename(void *buffer, size_t size);
const char *csys_strerror(int error);
const char *csys_getenv(const char *name);
int csys_isatty(int fd);
// The file name of the running program, without its directory; empty if unknown.
const char *csys_own_name(void);
// Neither a core dump nor another process of this user gets at the memory of this one from now on.
void csys_hide_memory(void);
// Whether the first argument of this process is `word`.
bool csys_was_told(const char *word);

// errno values that callers distinguish.
enum {
    csys_enoent = 2,
    csys_esrch = 3,
    csys_eintr = 4,
    csys_eio = 5,
    csys_eexist = 17,
    csys_exdev = 18,
    csys_enotdir = 20,
    csys_einval = 22,
    csys_enospc = 28,
    csys_erofs = 30,
    csys_epipe = 32,
};
int csys_eagain(void);
int csys_enotempty(void);
int csys_eloop(void);
int csys_efbig(void);
int csys_econnrefused(void);

#endif

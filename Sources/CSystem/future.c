#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "csystem.h"
#include "csystem_future.h"

#include <errno.h>

#ifndef __APPLE__
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

// Static functions return as system calls do: a negative number, with errno. The process ends after an error, so they
// free nothing then.

// The tmpfs that holds all writes is mounted here, and the copy is built below it.
#define SCRATCH "/tmp"
#define ROOT SCRATCH "/root"
#define SCRATCH_OPTIONS "size=256m,nr_inodes=100k,mode=0700"

// Lists of names, each terminated.
// File systems that an overlay can cover, and that do not wait for a server.
#define LOCAL "ext4\0ext3\0ext2\0xfs\0btrfs\0f2fs\0zfs\0bcachefs\0tmpfs\0ramfs\0overlay\0squashfs\0erofs\0" \
    "iso9660\0vfat\0"
// File systems of the kernel that programs read.
#define KERNEL "sysfs\0cgroup2\0cgroup\0securityfs\0selinuxfs\0"
// File systems that may wait forever for a server: nothing here looks inside.
#define REMOTE "nfs4\0nfs\0cifs\0smb3\0ceph\0fuse\0fuseblk\0virtiofs\0" "9p\0"
// Mounts at these paths and below are left out.
#define LEFT_OUT "/proc\0/dev\0/tmp\0/var/tmp\0/var/lib/docker\0/var/lib/containers\0/var/lib/containerd\0" \
    "/var/lib/kubelet\0/run/containerd\0"
#define DEVICES "null\0zero\0full\0random\0urandom\0tty\0fd\0stdin\0stdout\0stderr\0"

static bool is_in_copy;
static int alive;  // reaches its end when the process that stayed outside dies

enum kind : uint8_t { unknown, local, kernel, automount, remote };

struct mount {
    const char *id, *parent;
    char *path;
    enum kind kind;
    bool is_noexec;
};

struct mounts {
    struct mount *all;
    size_t count;
};

static bool is_one_of(const char *names, const char *name) {
    for (; *names; names += strlen(names) + 1)
        if (!strcmp(names, name)) return true;
    return false;
}

static bool is_within(const char *path, const char *directory) {
    size_t length = strlen(directory);
    return length == 1 || (!strncmp(path, directory, length) && (path[length] == '/' || !path[length]));
}

static bool contains(const char *text, const char *part) {
    for (; *text; text++)
        if (!strncmp(text, part, strlen(part))) return true;
    return false;
}

// The whole text of a file below /proc, terminated; free it.
static char *read_text(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return NULL;
    char *text = NULL;
    size_t size = 0, used = 0;
    for (ssize_t n = 1; n; used += (size_t)n) {
        if (used + 1 >= size && !(text = realloc(text, size += size + 16384))) return NULL;
        if ((n = read(fd, text + used, size - used - 1)) < 0) return NULL;
    }
    text[used] = 0;
    close(fd);
    return text;
}

// Cuts off the text up to the next space.
static char *next_word(char **rest) {
    char *word = *rest;
    *rest += strcspn(word, " ");
    if (**rest) *(*rest)++ = 0;
    return word;
}

// In mountinfo, a space, a tab, a newline and a backslash of a path are a backslash and three octal digits.
static void unescape(char *text) {
    for (char *to = text;; text++, to++) {
        if (*text == '\\' && text[1] && text[2] && text[3]) {
            *to = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0'));
            text += 3;
        } else if (!(*to = *text)) {
            return;
        }
    }
}

// See proc_pid_mountinfo(5). Refers to the text.
static int parse(char *text, struct mounts *out) {
    size_t lines = 1;
    for (char *at = text; (at = strchr(at, '\n')); at++) lines++;
    struct mount *mount = out->all = calloc(lines, sizeof *mount);
    if (!mount) return -1;
    for (char *rest = text, *end; (end = strchr(rest, '\n')); rest = end + 1, mount++) {
        *end = 0;
        mount->id = next_word(&rest);
        mount->parent = next_word(&rest);
        next_word(&rest);
        next_word(&rest);
        unescape(mount->path = next_word(&rest));
        mount->is_noexec = contains(next_word(&rest), "noexec");
        while (*rest && strcmp(next_word(&rest), "-")) {}
        char *type = next_word(&rest);
        type[strcspn(type, ".")] = 0;  // fuse.sshfs is fuse
        mount->kind = !mount->path[1] || is_one_of(LOCAL, type) ? local  // the root is in use anyway
                      : is_one_of(KERNEL, type)                 ? kernel
                      : is_one_of(REMOTE, type)                 ? remote
                      : !strcmp(type, "autofs")                 ? automount
                                                                : unknown;
    }
    out->count = lines - 1;
    return 0;
}

// The mount that a path is on. A mount can be hidden by a later one at a directory above it. The search stops at a
// mount that may wait for a server, or whose type is unknown, so that nothing here walks through it.
static const struct mount *mount_of(const struct mounts *mounts, const char *path) {
    const struct mount *here = NULL, *next;
    for (;;) {
        next = NULL;
        for (const struct mount *mount = mounts->all; mount < mounts->all + mounts->count; mount++) {
            if (here ? mount == here || strcmp(mount->parent, here->id) : mount->path[1]) continue;
            if (is_within(path, mount->path) && (!next || strlen(mount->path) < strlen(next->path))) next = mount;
        }
        if (!next) return here;
        here = next;
        if (here->kind == unknown || here->kind == remote) return here;
    }
}

static int bind(const char *from, const char *to, unsigned long flags) {
    int result = mount(from, to, NULL, MS_BIND, NULL);
    if (result < 0 || !flags) return result;
    result = mount(NULL, to, NULL, MS_REMOUNT | MS_BIND | flags, NULL);
    if (result < 0) umount2(to, MNT_DETACH);
    return result;
}

static char *append_number(char *at, unsigned number) {
    if (number > 9) at = append_number(at, number / 10);
    *at = (char)('0' + number % 10);
    at[1] = 0;
    return at + 1;
}

// Opens what is at the path below `root`. The path of a mount has no symlinks, so none is followed: a user of the host may just
// have put one there, to bring the mount to another place of the copy.
static int open_mount(const char *root, const char *path) {
    int here = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    while (here >= 0 && *(path += strspn(path, "/"))) {
        char name[NAME_MAX + 1] = "";
        size_t length = strcspn(path, "/");
        if (length > NAME_MAX) break;
        memcpy(name, path, length);
        path += length;
        int next = openat(here, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        close(here);
        here = next;
    }
    if (here >= 0 && *path) {
        close(here);
        here = -1;
    }
    return here;
}

// The path of an open file, which leads to this very file.
static const char *path_of(int fd, char path[32]) {
    append_number(stpcpy(path, "/proc/self/fd/"), (unsigned)fd);
    return path;
}

// Covers the directory `from` of the host, at `target`. The upper directory has the owner and the mode that are seen
// there.
static int overlay(int from, const char *target, const struct stat *st, unsigned long flags, unsigned number) {
    char upper[40], work[40], options[200];
    append_number(stpcpy(upper, SCRATCH "/upper"), number);
    append_number(stpcpy(work, SCRATCH "/work"), number);
    stpcpy(stpcpy(stpcpy(stpcpy(options, "lowerdir=.,redirect_dir=on,index=off,upperdir="), upper), ",workdir="), work);
    // A path could have commas and colons, so the lower directory is the current one. No other process can interfere
    // between these calls, since only this one sees the scratch directory's file system.
    if (mkdir(upper, st->st_mode & 07777) < 0 || chown(upper, st->st_uid, st->st_gid) < 0 || mkdir(work, 0700) < 0
        || fchdir(from) < 0)
        return -1;
    return mount("deptool", target, "overlay", flags, options);
}

// Binds where no user can interfere, and moves the mount with its flags to `target`.
static int bind_read_only(const char *from, const char *target, unsigned long flags) {
    static const char *const places[] = {SCRATCH "/directory", SCRATCH "/file"};
    for (int i = 0; i < 2; i++) {
        if (bind(from, places[i], flags | MS_RDONLY) < 0) continue;
        int result = mount(places[i], target, NULL, MS_MOVE, NULL);
        if (result < 0) umount2(places[i], MNT_DETACH);
        return result;
    }
    return -1;
}

static int lay_opened(const struct mount *mount, int from, const char *target, unsigned number) {
    bool is_root = !mount->path[1];
    unsigned long flags = MS_NODEV | MS_NOSUID | (mount->is_noexec ? MS_NOEXEC : 0);
    if (mount->kind != remote) {
        struct stat st;
        if (fstat(from, &st) < 0) return 0;
        if (S_ISDIR(st.st_mode) && mount->kind == local && !is_within(mount->path, "/sys")) {
            int result = overlay(from, target, &st, flags, number);
            if (!result || is_root || (errno != EINVAL && errno != ENOENT && errno != ENOTDIR)) return result;
        }
        // A socket that is a mount point leads to the host.
        if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) return 0;
    }
    char path[32];
    bind_read_only(path_of(from, path), target, flags);
    return 0;
}

// Lays one mount of the host on the copy: writable through an overlay, or else read-only. It is left out if neither
// works: the copy can lack the mount point.
static int lay(const struct mount *mount, unsigned number) {
    int from = open_mount("/", mount->path), to = open_mount(ROOT, mount->path), result = 0;
    char target[32];
    if (from >= 0 && to >= 0) result = lay_opened(mount, from, path_of(to, target), number);
    int error = errno;
    if (from >= 0) close(from);
    if (to >= 0) close(to);
    errno = error;
    return result;
}

static int lay_all(const struct mounts *mounts, const char **failed) {
    const struct mount **wanted = calloc(mounts->count + 1, sizeof *wanted), *mount = mounts->all;
    if (!wanted) return -1;
    size_t count = 0;
    for (const struct mount *end = mount + mounts->count; mount < end; mount++) {
        bool is_wanted = mount->kind != unknown && mount->kind != automount;
        for (const char *path = LEFT_OUT; is_wanted && *path; path += strlen(path) + 1)
            is_wanted = !is_within(mount->path, path);
        if (!is_wanted || mount_of(mounts, mount->path) != mount) continue;
        // Sorted by path, so that each is laid on the one that contains it.
        size_t at = count++;
        for (; at && strcmp(wanted[at - 1]->path, mount->path) > 0; at--) wanted[at] = wanted[at - 1];
        wanted[at] = mount;
    }
    for (size_t i = 0; i < count; i++) {
        *failed = i ? "overlay a file system" : "overlay /";
        if (lay(wanted[i], (unsigned)i) < 0) return -1;
    }
    free(wanted);
    return 0;
}

// A directory of the scratch at `target` in the copy, if a directory is there.
static int lay_empty(const char *name, mode_t mode, const char *target) {
    struct stat st;
    if (lstat(target, &st) < 0 || !S_ISDIR(st.st_mode)) return 0;
    return mkdir(name, mode) < 0 ? -1 : bind(name, target, 0);
}

static int lay_devices(void) {
    if (lay_empty(SCRATCH "/dev", 0755, ROOT "/dev") < 0) return -1;
    for (const char *name = DEVICES; *name; name += strlen(name) + 1) {
        char path[sizeof ROOT "/dev/urandom"], *host = path + strlen(ROOT), link[32];
        stpcpy(stpcpy(path, ROOT "/dev/"), name);
        struct stat st;
        if (lstat(host, &st) < 0) continue;
        ssize_t length = readlink(host, link, sizeof link - 1);
        link[length < 0 ? 0 : length] = 0;
        // The same devices, but nodes of the copy's own: a changed mode stays in here.
        if (*link && symlink(link, path) < 0) return -1;
        if (S_ISCHR(st.st_mode) && mknod(path, st.st_mode, st.st_rdev) < 0) return -1;
    }
    if (mkdir(ROOT "/dev/shm", 0755) < 0 || lay_empty(SCRATCH "/shm", 01777, ROOT "/dev/shm") < 0) return -1;
    return mount(NULL, ROOT "/dev", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC, NULL);
}

// Overlays of some older kernels let a program connect to the sockets of the host.
static bool has_safe_overlays(void) {
    struct utsname name;
    if (uname(&name) < 0) return false;
    // strtol would be most of what this takes in the agent.
    const char *place = name.release;
    int version[2] = {0, 0};
    for (int part = 0; part < 2; part++) {
        for (; *place >= '0' && *place <= '9' && version[part] < 1000; place++) version[part] = 10 * version[part] + *place - '0';
        if (*place != '.') break;
        place++;
    }
    return version[0] > 4 || (version[0] == 4 && version[1] >= 19);
}

static int build(const char **failed) {
    *failed = "use overlays before Linux 4.19";
    errno = ENOSYS;
    if (!has_safe_overlays()) return -1;
    *failed = "make the mounts private";
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return -1;
    *failed = "read the mounts";
    struct mounts mounts;
    char *text = read_text("/proc/self/mountinfo");
    if (!text || parse(text, &mounts) < 0) return -1;
    *failed = "mount a tmpfs on " SCRATCH;
    if (mount("deptool", SCRATCH, "tmpfs", MS_NOSUID, SCRATCH_OPTIONS) < 0 || mkdir(ROOT, 0700) < 0
        || mkdir(SCRATCH "/directory", 0700) < 0 || mknod(SCRATCH "/file", S_IFREG | 0600, 0) < 0)
        return -1;
    if (lay_all(&mounts, failed) < 0) return -1;
    *failed = "make /dev and /tmp";
    if (lay_devices() < 0 || lay_empty(SCRATCH "/tmp", 01777, ROOT "/tmp") < 0
        || lay_empty(SCRATCH "/var-tmp", 01777, ROOT "/var/tmp") < 0)
        return -1;
    *failed = "mount /proc";
    if (mount("proc", ROOT "/proc", "proc", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0) return -1;
    // pivot_root(2) describes this: the old root ends up on top of the new one, and is detached with all its mounts.
    *failed = "switch to the copy";
    if (chdir(ROOT) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return -1;
    free(mounts.all);
    free(text);
    return 0;
}

static void close_between(unsigned first, unsigned last) {
    if (first > last || !syscall(SYS_close_range, first, last, 0)) return;
    // Linux before 5.9. The agent never has as many.
    for (unsigned fd = first; fd <= last && fd < 65536; fd++) close((int)fd);
}

// A change of the user id, as in csys_mkdir_as, undoes both settings.
static void protect_process_1(void) {
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct pollfd item = {.fd = alive};
    if (poll(&item, 1, 0) > 0) _exit(1);
}

static int enter(int kept, const char **failed) {
    // An open directory leads to the real host.
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), fds[2];
    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0) return -1;
    close_between(3, (unsigned)kept - 1);
    close_between((unsigned)kept + 1, UINT_MAX);
    *failed = "unshare";
    if (pipe2(fds, O_CLOEXEC) < 0 || unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS) < 0) return -1;
    *failed = "fork";
    pid_t pid = fork();
    if (pid < 0) return -1;
    if (pid) {
        close(kept);
        close(fds[0]);
        _exit(csys_wait(pid, true));
    }
    alive = fds[0];
    close(fds[1]);
    protect_process_1();
    setsid();  // from the terminal, if there is one
    // When memory runs out, the kernel kills these processes first. They cannot undo it: their /proc is read-only.
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (write(fd, "1000", 4) < 0) {}
    close(fd);
    syscall(SYS_keyctl, 1, NULL);  // KEYCTL_JOIN_SESSION_KEYRING: a new one
    mode_t mask = umask(0);
    int result = build(failed);
    umask(mask);
    return result;
}

int csys_future_enter(int kept, const char **failed) {
    *failed = "close the descriptors";
    if (kept < 3) return -EBADF;
    pid_t parent = getppid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    if (enter(kept, failed) < 0) return -errno;
    is_in_copy = true;
    return 0;
}

// Programs ------------------------------------------------------------------------------------------------------

// Values of linux/capability.h, linux/filter.h, linux/seccomp.h, linux/audit.h and linux/landlock.h, which musl's
// headers do not bring.
enum {
    cap_chown = 0,
    cap_dac_override = 1,
    cap_fowner = 3,
    cap_fsetid = 4,
    cap_kill = 5,
    cap_setgid = 6,
    cap_setuid = 7,
    cap_net_bind_service = 10,
    cap_net_admin = 12,
    cap_sys_chroot = 18,
};

// Not CAP_DAC_READ_SEARCH, which opens files by handle, past all mounts.
#define CAPABILITIES \
    (1 << cap_chown | 1 << cap_dac_override | 1 << cap_fowner | 1 << cap_fsetid | 1 << cap_kill | 1 << cap_setgid \
     | 1 << cap_setuid | 1 << cap_net_bind_service | 1 << cap_sys_chroot)

static int drop_capabilities(uint32_t kept) {
    // execve(2) gives root the capabilities in the bounding set.
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; capability++)
        if (!((uint64_t)kept >> capability & 1) && prctl(PR_CAPBSET_DROP, capability) < 0) return -1;
    struct {
        uint32_t version;
        int pid;
    } header = {.version = 0x20080522};
    struct {
        uint32_t effective, permitted, inheritable;
    } sets[2] = {{.effective = kept, .permitted = kept}};
    // Without inheritable ones, there are no ambient ones either.
    return (int)syscall(SYS_capset, &header, sets);
}

struct instruction {
    uint16_t code;
    uint8_t if_true, if_false;
    uint32_t value;
};

#define LOAD(offset) {0x20, 0, 0, offset}  // of struct seccomp_data: 0 number, 4 architecture, 16 + 8 * n argument n
#define IF_EQUAL(value, yes, no) {0x15, yes, no, value}
#define IF_ANY_BIT(value, yes, no) {0x45, yes, no, value}
#define IF_AT_LEAST(value, yes, no) {0x35, yes, no, value}
#define ALLOW {0x06, 0, 0, 0x7fff0000}
#define FAIL(error) {0x06, 0, 0, 0x50000 | (error)}  // with 0, a call that does nothing appears to succeed

// The rules for the system calls of one architecture, against what capabilities and mounts do not prevent:
// - In a user namespace of its own, a program has all capabilities, and can mount file systems such as cgroup2. Before
//   Linux 5.12, it could kill the session that the deploy runs in. clone3(2) has its flags in memory, where a filter
//   cannot read them; libraries use clone(2) if it is missing.
// - The keyrings of root are those of the host.
// - A core dump starts the host's handler, outside of the copy. RLIMIT_CORE prevents that when it is 1, but not when it
//   is 0. So setting it has no effect, and returns success to the program.
#define RULES(architecture, clone, unshare, add_key, request_key, keyctl, setrlimit, prlimit) \
    /* 0 */ LOAD(4), IF_EQUAL(architecture, 0, 25), LOAD(0), IF_AT_LEAST(X32, 22, 0), IF_EQUAL(CLONE3, 21, 0), \
    /* 5 */ IF_EQUAL(add_key, 19, 0), IF_EQUAL(request_key, 18, 0), IF_EQUAL(keyctl, 17, 0), \
    /* 8 */ IF_EQUAL(clone, 4, 0), IF_EQUAL(unshare, 3, 0), IF_EQUAL(setrlimit, 4, 0), IF_EQUAL(prlimit, 5, 0), ALLOW, \
    /* 13 */ LOAD(16), IF_ANY_BIT(CLONE_NEWUSER, 10, 8), \
    /* 15 */ LOAD(16), IF_EQUAL(RLIMIT_CORE, 7, 6), \
    /* 17 */ LOAD(24), IF_EQUAL(RLIMIT_CORE, 0, 4), LOAD(32), IF_EQUAL(0, 0, 3), LOAD(36), IF_EQUAL(0, 0, 1), \
    /* 23 */ ALLOW, FAIL(0), FAIL(EPERM), FAIL(ENOSYS)

#define X32 0x40000000  // the first number of the third set of system calls on x86_64
#define CLONE3 435
#define OWN_RULES(architecture) \
    RULES(architecture, SYS_clone, SYS_unshare, SYS_add_key, SYS_request_key, SYS_keyctl, SYS_setrlimit, SYS_prlimit64)

static const struct instruction filter[] = {
#if defined(__x86_64__)
    OWN_RULES(0xc000003e),
    RULES(0x40000003, 120, 310, 286, 287, 288, 75, 340),  // i386
#elif defined(__aarch64__)
    OWN_RULES(0xc00000b7),
    RULES(0x40000028, 120, 337, 309, 310, 311, 75, 369),  // arm
#elif defined(__riscv)
    RULES(0xc00000f3, SYS_clone, SYS_unshare, SYS_add_key, SYS_request_key, SYS_keyctl, 164, SYS_prlimit64),
#elif defined(__arm__)
    OWN_RULES(0x40000028),
    RULES(0xc00000b7, 220, 97, 217, 218, 219, 164, 261),  // aarch64, of a kernel with 64 bits
#endif
    FAIL(ENOSYS),
};

static int restrict_calls(void) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return -1;
    // Sockets with abstract names belong to the network namespace, which is the host's. Landlock keeps the program from
    // connecting to those of other processes, if this is Linux 6.12 or later and it is enabled.
    struct {
        uint64_t file_system, network, scoped;
    } rules = {.scoped = 1};
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0);
    if (ruleset >= 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0) return -1;
    struct {
        unsigned short count;
        const struct instruction *instructions;
    } program = {sizeof filter / sizeof *filter, filter};
    return prctl(PR_SET_SECCOMP, 2, &program);
}

// setrlimit(3) of musl is a lot of code, for programs with threads.
static void limit(int resource, uint64_t value) {
    uint64_t limits[] = {value, value};
    syscall(SYS_prlimit64, 0, resource, limits, NULL);
}

// Turns this process into the program. Returns only if that fails: the descriptor that `report` has by then.
static int become(char **arguments, const char *directory, int in, int out, int report, uint32_t capabilities) {
    static char *const environment[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", NULL};
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 || dup2(report, 3) < 0) return report;
    fcntl(3, F_SETFD, FD_CLOEXEC);
    close_between(4, UINT_MAX);
    setpgid(0, 0);
    for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    umask(022);
    // A limit that is lower already stays.
    limit(RLIMIT_CORE, 1);
    limit(RLIMIT_FSIZE, 256 << 20);
    if (chdir(directory) < 0 || drop_capabilities(capabilities) < 0 || restrict_calls() < 0) return 3;
    execve(arguments[0], arguments, environment);
    return 3;
}

int csys_future_run(const void *arguments, size_t size, size_t count, const char *directory, int in, int out,
                    bool keeps_net_admin) {
    if (!is_in_copy) return -EPERM;
    if (in < 3 || out < 3) return -EBADF;
    char *text = (char *)arguments;
    if (!count || !size || *text != '/' || text[size - 1]) return -EINVAL;
    char **argv = calloc(count + 1, sizeof *argv);
    if (!argv) return -ENOMEM;
    for (size_t i = 0, at = 0; i < count && at < size; i++) {
        argv[i] = text + at;
        at += strlen(text + at) + 1;
    }
    int fds[2], pid = -1, error = 0;
    if (!argv[count - 1]) error = EINVAL;
    else if (pipe2(fds, O_CLOEXEC) < 0) error = errno;
    else {
        protect_process_1();
        pid = fork();
        if (pid < 0) error = errno;
        if (!pid) {
            uint32_t capabilities = CAPABILITIES | (keeps_net_admin ? 1 << cap_net_admin : 0);
            csys_write(become(argv, directory, in, out, fds[1], capabilities), &errno, sizeof errno);
            _exit(127);
        }
        close(fds[1]);
        // execve(2) closes the other end, so there is nothing to read when the program runs.
        if (pid > 0) csys_read(fds[0], &error, sizeof error);
        close(fds[0]);
        if (pid > 0 && error) csys_wait(pid, true);
    }
    free(argv);
    return error ? -error : pid;
}

int csys_future_reap(void) {
    // On the host, -1 is every process there is.
    if (!is_in_copy || getpid() != 1) return -EPERM;
    kill(-1, SIGKILL);
    while (waitpid(-1, NULL, 0) >= 0 || errno == EINTR) {}
    return errno == ECHILD ? 0 : -errno;
}

#else
int csys_future_enter(int kept, const char **failed) {
    (void)kept;
    *failed = "unshare";
    return -ENOSYS;
}

int csys_future_run(const void *arguments, size_t size, size_t count, const char *directory, int in, int out,
                    bool keeps_net_admin) {
    (void)arguments, (void)size, (void)count, (void)directory, (void)in, (void)out, (void)keeps_net_admin;
    return -ENOSYS;
}

int csys_future_reap(void) { return -ENOSYS; }
#endif

// A copy of the host, for programs that must not change the host: `nginx -t` with a configuration that is not in place.
//
// A process enters the copy permanently. There it changes files as a deploy would, runs programs, and ends. Then
// the kernel drops the copy. Linux only: elsewhere every function returns -ENOSYS.
//
// The copy is a mount namespace. Its root is an overlay of the host's root, and a tmpfs of 256 MiB holds all writes.
//   writable     each mounted file system on a local disk or in memory, through an overlay of its own
//   read-only    remote file systems, /sys, single files that are mounted, file systems that no overlay can cover
//   new          /tmp, /var/tmp and /dev/shm, empty; /dev, with a few devices; /proc, read-only
//   left out     automounts, mounts below a remote file system, file systems of an unknown type, the storage of
//                container engines
// Sockets and FIFOs of the host lead nowhere, and device nodes outside of /dev do not work.
#ifndef CSYSTEM_FUTURE_H
#define CSYSTEM_FUTURE_H

#include <stdbool.h>
#include <stddef.h>

// Enters the copy. The process must be forked for this, have one thread, and be the child of a thread that outlives it:
// it is killed when that thread ends. The caller goes on as process 1 of a process namespace. The process that called
// stays outside, and ends with the same status.
//
// Closes all descriptors but `kept`, because an open directory leads to the real host. `kept` must be above 2;
// descriptors 0, 1 and 2 lead to /dev/null afterwards. Never close one of the others later: its number is in use again.
//
// Returns 0, or a negated errno and in `failed` the step that failed, a static text. After an error the process must
// end, because it may still be on the real host.
//   EPERM   not root, or in a container that may not do this
//   ENODEV  "overlay /": the kernel has no overlayfs
//   EINVAL  "overlay /": the root is an overlay of an overlay already, or Linux is older than 4.13; "make the mounts
//           private": in a chroot; "switch to the copy": the root is the initramfs
int csys_future_enter(int kept, const char **failed);

// Starts a program in the copy; -EPERM elsewhere. The arguments are as for csys_spawn, but the first is an absolute
// path. `in` and `out`, for standard output and error, must be above 2; `out` should be a pipe, because the program can
// open a file again with other rights. Returns the pid, for csys_wait, or an error if the program cannot be executed.
// To end it early, use csys_kill_group and csys_future_reap: its processes can leave the group, and hold `out` open.
//
// The program runs as root in its own process group, with an environment of PATH, HOME and LANG. Its capabilities are
// enough to read and write any file and to become any user; none concerns the kernel. It uses the network of the host.
// With `keeps_net_admin` it can also change that network: only for a known program, such as `/usr/sbin/nft -c`.
int csys_future_run(const void *arguments, size_t size, size_t count, const char *directory, int in, int out,
                    bool keeps_net_admin);

// Kills every process in the copy but the caller, and waits for their ends; -EPERM elsewhere. Call it after each
// program, so that nothing is left when the next one starts.
int csys_future_reap(void);

#endif

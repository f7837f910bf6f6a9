#include <libssh2.h>
#include <stdlib.h>

// Memory that libssh2 frees with its default allocator, such as the signature that a callback returns.
static inline void *csh2_allocate(size_t size) { return malloc(size); }

// The function that receives from the socket. libssh2 1.11.1 deprecates what earlier versions have.
static inline void csh2_set_receive(LIBSSH2_SESSION *session, void *function) {
#if LIBSSH2_VERSION_NUM >= 0x010B01
    libssh2_session_callback_set2(session, LIBSSH2_CALLBACK_RECV, (libssh2_cb_generic *)function);
#else
    libssh2_session_callback_set(session, LIBSSH2_CALLBACK_RECV, function);
#endif
}

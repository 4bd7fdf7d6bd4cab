/*
 * What is done to one descriptor: listening, dialling, steering a group of listeners, naming.
 * Holds no state and knows nothing of slots or epoll. Failures are returned as -errno.
 */
#ifndef HEADGATE_SOCKET_H
#define HEADGATE_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for any address or path of a Unix socket, its final zero included. */
enum { SOCKET_ADDRESS_MAX = 108 };

/* A listening SO_REUSEPORT socket, non-blocking and close-on-exec; `address` is IPv4 or IPv6. */
int socket_listen(const char *address, uint16_t port, int backlog, int user_timeout_ms);

/*
 * A socket on its way to `address`, IP or the path of a Unix socket, non-blocking, close-on-exec
 * and without Nagle's delay; where it leads shows when it becomes writable. An empty `source`
 * leaves the choice to the kernel.
 */
int socket_dial(const char *address, uint16_t port, const char *source);

/* The local port. */
int socket_port(int descriptor);

/*
 * Sends each new connection of the group that `descriptor` belongs to, at random, to one of the
 * `count` members named by `open`; a member's index is its place in the order of listening.
 */
int socket_steer(int descriptor, const int32_t *open, size_t count);

/* Whether accepting failed for this client alone, and may go on with the next one (accept(2)). */
bool socket_is_client_gone(int failure);

/* Writes the peer's address without its port; an IPv4 address mapped into IPv6 as IPv4. */
int socket_peer_address(int descriptor, char text[SOCKET_ADDRESS_MAX]);

/* Raises the limit of descriptors to its maximum; the limit now in force. */
int socket_raise_descriptor_limit(void);

#endif

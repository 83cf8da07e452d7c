/*
 * Counts WebSocket frames on many connections, with as little processor time as the kernel allows: what the servers are measured with must
 * not be slower than they are. Each connection follows a short script of texts (wait for one that starts so, then send that), and is ready
 * when the script has ended. From then on frames are counted by their headers; payloads are skipped.
 *
 *     sink [--slow BYTES] HOST PORT PATH COUNT [EXPECT SEND]... [READY]
 *
 * With --slow each connection has a small receive buffer, and reads so many bytes per second when it is ready; with 0 none at all.
 *
 * Prints "ready" when all connections are; then answers each line on the standard input with the number of data frames counted so far.
 * WebSocket pings are answered, with an empty pong; pings of protocols above are not.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { BUFFER = 256 * 1024, CARRY = 4096, OPENING_AT_ONCE = 64, EVENTS = 512, SLOW_TURNS = 8 /* per second */ };

struct connection {
  int fd;
  int step;             /* next step of the script; -1 before the handshake has ended */
  int ready;
  uint64_t skip;        /* bytes of the current frame's payload that are still to come */
  size_t carried;       /* bytes of a handshake, of a frame's header or of a scripted text that came in part */
  unsigned char *carry;
};

static int steps;
static char **script;
static const char *ready_text;
static const char *host, *path;
static int port;
static int slow;
static size_t slow_bytes; /* per turn */
static int slow_timer = -1;
static struct connection *connections;
static int connection_count;
static uint64_t frames;
static int ready_count;
static int queue;
static unsigned char buffer[CARRY + BUFFER];

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void send_all(int fd, const void *data, size_t size) {
  if (send(fd, data, size, MSG_NOSIGNAL) != (ssize_t)size) die("sink: send");
}

static void send_text(int fd, const char *text) {
  size_t length = strlen(text);
  unsigned char frame[6 + 125] = {0x81, (unsigned char)(0x80 | length)};
  if (length > 125) {
    fputs("sink: a scripted text may have 125 bytes\n", stderr);
    exit(1);
  }
  memcpy(frame + 6, text, length); /* masked with zero */
  send_all(fd, frame, 6 + length);
}

static int starts_with(const unsigned char *data, size_t size, const char *text) {
  size_t length = strlen(text);
  return size >= length && memcmp(data, text, length) == 0;
}

static void become_ready(struct connection *c) {
  c->ready = 1;
  if (slow) epoll_ctl(queue, EPOLL_CTL_DEL, c->fd, NULL);
  ready_count++;
}

static void handshake_done(struct connection *c) {
  c->step = 0;
  if (steps == 0 && *ready_text == '\0') become_ready(c);
}

static void scripted_text(struct connection *c, const unsigned char *text, size_t size) {
  if (c->step < steps) {
    if (starts_with(text, size, script[2 * c->step])) send_text(c->fd, script[2 * c->step++ + 1]);
    return;
  }
  if (starts_with(text, size, ready_text)) become_ready(c);
}

/* Takes what it can from the data and answers how many bytes that were. */
static size_t consume(struct connection *c, const unsigned char *data, size_t size) {
  size_t at = 0;
  if (c->step < 0) {
    const unsigned char *end = memmem(data, size, "\r\n\r\n", 4);
    if (end == NULL) return 0;
    if (!starts_with(data, size, "HTTP/1.1 101")) {
      fprintf(stderr, "sink: the server answered %.*s\n", 12, (const char *)data);
      exit(1);
    }
    at = (size_t)(end - data) + 4;
    handshake_done(c);
  }
  while (at < size) {
    if (c->skip > 0) {
      size_t left = size - at;
      size_t step = c->skip < left ? (size_t)c->skip : left;
      c->skip -= step;
      at += step;
      continue;
    }
    if (size - at < 2) break;
    uint64_t length = data[at + 1] & 0x7f;
    size_t header = length < 126 ? 2 : length == 126 ? 4 : 10;
    if (size - at < header) break;
    if (header == 4) length = (uint64_t)data[at + 2] << 8 | data[at + 3];
    if (header == 10) {
      length = 0;
      for (int n = 0; n < 8; n++) length = length << 8 | data[at + 2 + n];
    }
    int is_data = (data[at] & 0x0f) < 8;
    if ((data[at] & 0x0f) == 9) send_all(c->fd, "\x8a\x80\0\0\0\0", 6);
    if (!c->ready && is_data) {
      /* A long first frame need not come whole: its start tells. */
      size_t there = size - at - header;
      if (there < length && there < 64) break;
      scripted_text(c, data + at + header, there < length ? there : (size_t)length);
    } else if (is_data) {
      frames++;
    }
    at += header;
    c->skip = length;
  }
  return at;
}

static void readable(struct connection *c, size_t most) {
  memcpy(buffer, c->carry, c->carried);
  ssize_t got = recv(c->fd, buffer + c->carried, most, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    fputs("sink: a server closed a connection\n", stderr);
    exit(1);
  }
  size_t size = c->carried + (size_t)got;
  size_t used = consume(c, buffer, size);
  if (size - used > CARRY) {
    fputs("sink: a handshake or a scripted text is too long\n", stderr);
    exit(1);
  }
  c->carried = size - used;
  memcpy(c->carry, buffer + used, c->carried);
}

static void open_connection(struct connection *c) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  char request[1024];
  int on = 1;
  if (inet_pton(AF_INET, host, &address.sin_addr) != 1) die("sink: address");
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  c->step = -1;
  c->carry = malloc(CARRY);
  if (c->fd < 0 || c->carry == NULL) die("sink: socket");
  int small = 4096;
  if (slow) setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  if (connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0) die("sink: connect");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  int length = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
                        path, host, port);
  send_all(c->fd, request, (size_t)length);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  if (epoll_ctl(queue, EPOLL_CTL_ADD, c->fd, &event) != 0) die("sink: epoll_ctl");
}

static void start_slow_timer(void) {
  struct itimerspec every = {.it_interval.tv_nsec = 1000000000 / SLOW_TURNS, .it_value.tv_nsec = 1000000000 / SLOW_TURNS};
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = &slow_timer};
  slow_timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  if (slow_timer < 0 || timerfd_settime(slow_timer, 0, &every, NULL) != 0) die("sink: timer");
  if (epoll_ctl(queue, EPOLL_CTL_ADD, slow_timer, &event) != 0) die("sink: epoll_ctl");
}

static void slow_turn(void) {
  uint64_t turns;
  if (read(slow_timer, &turns, sizeof turns) != sizeof turns) return;
  for (int n = 0; n < connection_count; n++)
    if (connections[n].ready) readable(&connections[n], slow_bytes);
}

/* Handles what is there; a pointer of NULL stands for the standard input. Answers 0 when that has ended. */
static int turn(void) {
  struct epoll_event events[EVENTS];
  int count = epoll_wait(queue, events, EVENTS, -1);
  for (int n = 0; n < count; n++) {
    if (events[n].data.ptr == &slow_timer) {
      slow_turn();
      continue;
    }
    if (events[n].data.ptr != NULL) {
      readable(events[n].data.ptr, BUFFER);
      continue;
    }
    char line[64];
    if (read(STDIN_FILENO, line, sizeof line) <= 0) return 0;
    printf("%llu\n", (unsigned long long)frames);
  }
  return 1;
}

int main(int argc, char **argv) {
  if (argc > 2 && strcmp(argv[1], "--slow") == 0) {
    slow = 1;
    slow_bytes = (size_t)atoi(argv[2]) / SLOW_TURNS;
    argv += 2;
    argc -= 2;
  }
  if (argc < 5) {
    fputs("usage: sink [--slow BYTES] HOST PORT PATH COUNT [EXPECT SEND]... [READY]\n", stderr);
    return 2;
  }
  host = argv[1];
  port = atoi(argv[2]);
  path = argv[3];
  int count = atoi(argv[4]);
  steps = (argc - 5) / 2;
  script = argv + 5;
  ready_text = (argc - 5) % 2 == 1 ? argv[argc - 1] : "";
  setvbuf(stdout, NULL, _IOLBF, 0);

  queue = epoll_create1(0);
  connections = calloc((size_t)count, sizeof *connections);
  connection_count = count;
  if (queue < 0 || connections == NULL) die("sink: epoll_create1");
  struct epoll_event input = {.events = EPOLLIN};
  if (epoll_ctl(queue, EPOLL_CTL_ADD, STDIN_FILENO, &input) != 0) die("sink: standard input");
  if (slow_bytes > 0) start_slow_timer();
  for (int opened = 0; ready_count < count;) {
    for (; opened < count && opened - ready_count < OPENING_AT_ONCE; opened++) open_connection(&connections[opened]);
    if (turn() == 0) return 0;
  }
  puts("ready");
  while (turn()) {
  }
  return 0;
}

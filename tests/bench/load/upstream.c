/* upstream: an SSE server that is never what a benchmark waits for. One thread, epoll, HTTP/1.1.
 *
 *     gcc -O2 -o upstream upstream.c
 *     ./upstream PORT              prints "ready" once it listens on 127.0.0.1:PORT
 *     ./upstream PORT due          its stamps say when an event was due, not when it was sent: to
 *                                  a client that measures a replay it is one, in C
 *
 * It answers a POST whose body holds, anywhere, the words
 *
 *     bench n=<events> gap_us=<microseconds> size=<bytes> key=...
 *
 * with that many events of that size. Each event is one HTTP chunk and one write(2). With a gap,
 * event i is written at <request> + i * gap, however late the one before it was; without one, the
 * streams take turns, an event each, as fast as their receivers read. After the events come the
 * checksum event, [DONE] and the last chunk, each with a write of its own. See shared.h.
 *
 * Whatever else it is asked, it answers "ok".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared.h"

#define REQUEST_LIMIT (64 * 1024)
#define TURNS_BETWEEN_POLLS 64

static const char HEAD[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    "Cache-Control: no-cache\r\nX-Request-Id: bench\r\nTransfer-Encoding: chunked\r\n\r\n";
static const char OK[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";
static const char FILLER[] = "it's all the same to a #proxy what words these are: it passes them on, ";

enum step { STEP_HEAD, STEP_EVENTS, STEP_SUM, STEP_DONE, STEP_LAST_CHUNK, STEP_NOTHING };

struct stream {
    int fd;
    char request[REQUEST_LIMIT];
    size_t request_length;

    enum step step;
    long events, next_event;
    uint64_t gap_ns, asked_ns, due_ns;
    uint32_t sum;
    char *chunk;           /* one event as an HTTP chunk; only its numbers change */
    size_t chunk_length;
    size_t event_at, event_length, stamp_at, index_at;
    char small[512];       /* the checksum event as an HTTP chunk */

    const char *output;    /* what has been begun and not wholly been written */
    size_t output_left;
    int heap_place;        /* -1: not waiting for its turn */
};

static int poll_fd, stamps_say_due;

/* Streams that wait for their turn, the earliest first: a binary heap. */
static struct stream **heap;
static int heap_size, heap_room;

static void heap_set(int place, struct stream *stream) {
    heap[place] = stream;
    stream->heap_place = place;
}

static void heap_settle(int place) {
    struct stream *stream = heap[place];
    while (place > 0 && heap[(place - 1) / 2]->due_ns > stream->due_ns) {
        heap_set(place, heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    for (;;) {
        int child = 2 * place + 1;
        if (child >= heap_size) break;
        if (child + 1 < heap_size && heap[child + 1]->due_ns < heap[child]->due_ns) child++;
        if (heap[child]->due_ns >= stream->due_ns) break;
        heap_set(place, heap[child]);
        place = child;
    }
    heap_set(place, stream);
}

static void heap_add(struct stream *stream) {
    if (heap_size == heap_room) {
        heap_room = heap_room ? heap_room * 2 : 256;
        heap = realloc(heap, heap_room * sizeof *heap);
    }
    heap_set(heap_size++, stream);
    heap_settle(stream->heap_place);
}

static void heap_remove(struct stream *stream) {
    int place = stream->heap_place;
    if (place < 0) return;
    stream->heap_place = -1;
    struct stream *last = heap[--heap_size];
    if (last == stream) return;
    heap_set(place, last);
    heap_settle(place);
}

static void write_number(char *place, uint64_t number, int digits) {
    while (digits--) {
        place[digits] = '0' + number % 10;
        number /= 10;
    }
}

static long parameter(const char *text, const char *name, long otherwise) {
    const char *place = strstr(text, name);
    return place ? atol(place + strlen(name)) : otherwise;
}

static void prepare_chunk(struct stream *stream, long size) {
    size_t numbers = STAMP_DIGITS + 1 + STAMP_DIGITS + 1 + INDEX_DIGITS + 1;
    size_t fixed = strlen(EVENT_HEAD) + numbers + strlen(EVENT_TAIL);
    size_t filler = size > (long)fixed ? size - fixed : 0;
    stream->event_length = fixed + filler;
    stream->chunk = realloc(stream->chunk, stream->event_length + 32);
    char *end = stream->chunk;
    end += sprintf(end, "%zx\r\n", stream->event_length);
    stream->event_at = end - stream->chunk;
    end = stpcpy(end, EVENT_HEAD);
    stream->stamp_at = end - stream->chunk;
    memset(end, ' ', numbers);
    write_number(end + STAMP_DIGITS + 1, stream->asked_ns, STAMP_DIGITS);
    stream->index_at = stream->stamp_at + 2 * (STAMP_DIGITS + 1);
    end += numbers;
    for (size_t i = 0; i < filler; i++) *end++ = FILLER[i % (sizeof FILLER - 1)];
    end = stpcpy(end, EVENT_TAIL);
    end = stpcpy(end, "\r\n");
    stream->chunk_length = end - stream->chunk;
}

/* What is to be written next; all of it goes with one write. */
static void begin_output(struct stream *stream) {
    char event[256];
    int length;
    switch (stream->step) {
    case STEP_HEAD:
        stream->output = HEAD;
        stream->output_left = sizeof HEAD - 1;
        break;
    case STEP_EVENTS:
        write_number(stream->chunk + stream->stamp_at,
                     stamps_say_due ? stream->due_ns : now_ns(), STAMP_DIGITS);
        write_number(stream->chunk + stream->index_at, stream->next_event, INDEX_DIGITS);
        stream->sum =
            adler32(stream->sum, stream->chunk + stream->event_at, stream->event_length);
        stream->output = stream->chunk;
        stream->output_left = stream->chunk_length;
        break;
    case STEP_SUM:
        length = sprintf(event, "%s%ld%s%u}}\n\n", SUM_HEAD, stream->events, SUM_MIDDLE, stream->sum);
        stream->output = stream->small;
        stream->output_left = sprintf(stream->small, "%x\r\n%s\r\n", length, event);
        break;
    case STEP_DONE:
        stream->output = stream->small;
        stream->output_left =
            sprintf(stream->small, "%zx\r\n%s\r\n", strlen(DONE_EVENT), DONE_EVENT);
        break;
    default:
        stream->output = "0\r\n\r\n";
        stream->output_left = 5;
    }
}

static void end_output(struct stream *stream) {
    if (stream->step != STEP_EVENTS)
        stream->step++;
    else if (++stream->next_event == stream->events)
        stream->step = STEP_SUM;
    if (stream->step == STEP_EVENTS && stream->gap_ns)
        stream->due_ns = stream->asked_ns + stream->next_event * stream->gap_ns;
    else
        stream->due_ns = now_ns();
}

static void watch(struct stream *stream, uint32_t what, int change) {
    struct epoll_event event = {.events = what, .data.ptr = stream};
    epoll_ctl(poll_fd, change, stream->fd, &event);
}

static void drop(struct stream *stream) {
    heap_remove(stream);
    close(stream->fd);
    free(stream->chunk);
    free(stream);
}

/* One turn: one write. Returns -1 when the receiver is gone. */
static int take_turn(struct stream *stream) {
    if (!stream->output_left) begin_output(stream);
    ssize_t written = write(stream->fd, stream->output, stream->output_left);
    if (written < 0 && errno != EAGAIN) return -1;
    if (written > 0) {
        stream->output += written;
        stream->output_left -= written;
    }
    if (stream->output_left) {
        heap_remove(stream);
        watch(stream, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
        return 0;
    }
    end_output(stream);
    if (stream->step == STEP_NOTHING)
        heap_remove(stream);
    else
        heap_settle(stream->heap_place);
    return 0;
}

/* The length of a whole request at the buffer's beginning; 0 if it has not wholly come. */
static size_t request_size(struct stream *stream) {
    stream->request[stream->request_length] = 0;
    char *head_end = strstr(stream->request, "\r\n\r\n");
    if (!head_end) return 0;
    size_t head = head_end + 4 - stream->request;
    char *length = strcasestr(stream->request, "\r\ncontent-length:");
    if (length && length < head_end) {
        size_t whole = head + atol(length + 17);
        return stream->request_length >= whole ? whole : 0;
    }
    char *coding = strcasestr(stream->request, "\r\ntransfer-encoding:");
    if (coding && coding < head_end) {
        char *end = strstr(head_end + 2, "\r\n0\r\n\r\n");
        return end ? (size_t)(end + 7 - stream->request) : 0;
    }
    return head;
}

static int receive(struct stream *stream) {
    size_t room = REQUEST_LIMIT - 1 - stream->request_length;
    ssize_t got = room ? read(stream->fd, stream->request + stream->request_length, room) : 0;
    if (got <= 0) return got < 0 && errno == EAGAIN ? 0 : -1;
    stream->request_length += got;
    return 0;
}

static int start_answer(struct stream *stream) {
    size_t size = request_size(stream);
    if (!size) return 0;
    char rest = stream->request[size];
    stream->request[size] = 0;
    const char *words = strstr(stream->request, "bench n=");
    if (words) {
        stream->asked_ns = stream->due_ns = now_ns();
        stream->events = parameter(words, "n=", 1);
        stream->gap_ns = (uint64_t)parameter(words, "gap_us=", 0) * 1000;
        stream->next_event = 0;
        stream->sum = 1;
        stream->step = stream->events ? STEP_HEAD : STEP_SUM;
        prepare_chunk(stream, parameter(words, "size=", 300));
        heap_add(stream);
    } else if (write(stream->fd, OK, sizeof OK - 1) < 0) {
        return -1;
    }
    stream->request[size] = rest;
    stream->request_length -= size;
    memmove(stream->request, stream->request + size, stream->request_length);
    return 0;
}

static void accept_all(int listener) {
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct stream *stream = calloc(1, sizeof *stream);
        stream->fd = fd;
        stream->heap_place = -1;
        stream->step = STEP_NOTHING;
        watch(stream, EPOLLIN, EPOLL_CTL_ADD);
    }
}

static void handle(struct stream *stream, uint32_t what) {
    int failed = 0;
    if (what & (EPOLLIN | EPOLLHUP | EPOLLERR)) failed = receive(stream);
    if (!failed && (what & EPOLLOUT) && stream->output_left && stream->heap_place < 0) {
        watch(stream, EPOLLIN, EPOLL_CTL_MOD);
        heap_add(stream);
    }
    if (!failed && stream->step == STEP_NOTHING && stream->heap_place < 0)
        failed = start_answer(stream);
    if (failed) drop(stream);
}

int main(int count, char **arguments) {
    stamps_say_due = count == 3 && !strcmp(arguments[2], "due");
    if (count != 2 + stamps_say_due) return fprintf(stderr, "usage: upstream PORT [due]\n"), 2;
    signal(SIGPIPE, SIG_IGN);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(arguments[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096))
        return perror("upstream"), 1;
    poll_fd = epoll_create1(0);
    struct epoll_event listening = {.events = EPOLLIN};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, listener, &listening);
    puts("ready");
    fflush(stdout);
    static struct epoll_event happened[1024];
    for (;;) {
        uint64_t now = now_ns();
        for (int turn = 0; turn < TURNS_BETWEEN_POLLS && heap_size; turn++) {
            if (heap[0]->due_ns > now) now = now_ns();
            if (heap[0]->due_ns > now) break;
            struct stream *stream = heap[0];
            if (take_turn(stream) < 0) {
                drop(stream);
            } else if (stream->step == STEP_NOTHING && stream->request_length) {
                if (start_answer(stream) < 0) drop(stream);
            }
        }
        struct timespec wait = {0, 0};
        if (heap_size && heap[0]->due_ns > (now = now_ns())) {
            wait.tv_sec = (heap[0]->due_ns - now) / 1000000000;
            wait.tv_nsec = (heap[0]->due_ns - now) % 1000000000;
        }
        int found = epoll_pwait2(poll_fd, happened, 1024, heap_size ? &wait : NULL, NULL);
        for (int i = 0; i < found; i++) {
            if (happened[i].data.ptr)
                handle(happened[i].data.ptr, happened[i].events);
            else
                accept_all(listener);
        }
    }
}

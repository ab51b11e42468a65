/* client: many SSE streams at once, measured and checked. One thread, epoll, one JSON line out.
 *
 *     gcc -O2 -o client client.c
 *     ./client PORT PATH [--option value]...
 *
 *   --streams C     connections, kept alive, each with one request at a time        (1)
 *   --requests R    requests for each of them                                       (1)
 *   --seconds S     no request is begun later than this                             (3600)
 *   --warmup W      requests of one event for each connection, before anything counts (0)
 *   --n, --gap-us, --size    what the upstream is asked for, see upstream.c         (10, 0, 300)
 *   --key TEXT      goes into every request's body, with the request's number       (k)
 *   --spread-us U   the streams begin at random times within this                   (0)
 *   --replay X      a replay at X times the recorded speed: timing errors, not latency  (0)
 *   --loose 1       the answers were made anew: only [DONE] is asked of them        (0)
 *   --pids A,B,...  processes whose CPU time and memory are told                    (none)
 *   --header TEXT   a further header field                                          (none)
 *
 * Requests are numbered through: the request `r` of stream `s` has the number s * R + r, so that
 * a replay may be driven by another number of streams than the recording was.
 *
 * An answer counts as whole when its events have come in order, as many as were asked for, with
 * the upstream's own checksum over them, followed by [DONE] and the body's end. `odd_chunks`
 * counts HTTP chunks that are not exactly one event: the upstream sends no such chunk.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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

#define HEAD_LIMIT (32 * 1024)
#define EVENT_LIMIT (256 * 1024)
#define STUCK_S 60
#define MOST_PIDS 64

enum place { IN_HEAD, IN_SIZE, IN_CHUNK, IN_CHUNK_END, IN_TRAILER, IN_LENGTH, IN_REST };

struct stream {
    int fd, number;
    long requests_left, request;
    int busy, warming;
    uint64_t starts_ns, sent_ns, first_ns;
    char *output;
    size_t output_length, output_done;

    enum place place;
    char line[HEAD_LIMIT];
    size_t line_length;
    int status, closes;
    uint64_t left; /* bytes of the current chunk, or of the body */

    char *event;
    size_t event_length;
    long events_in_chunk;
    int chunk_begins_inside;
    long events;
    uint32_t sum;
    int summed, done, wrong;
    uint64_t first_stamp_ns, first_event_ns;
};

struct samples {
    int64_t *values;
    size_t count, room;
};

static long streams = 1, requests = 1, warmup, events_asked = 10, gap_us, size = 300, spread_us;
static long loose, pids[MOST_PIDS], pid_count;
static double seconds = 3600, speed;
static const char *key = "k", *path, *header = "";
static int port, poll_fd, counting;
static struct stream *all;
static long running;
static uint64_t begins_ns, last_ns;

static struct samples latency, since_request, since_first, first_byte, early_error, late_error;
static long answers, failed, events, other_events, http_chunks, odd_chunks, reads;
static char first_failure[200];

static void sample(struct samples *samples, int64_t value) {
    if (samples->count == samples->room) {
        samples->room = samples->room ? samples->room * 2 : 1 << 16;
        samples->values = realloc(samples->values, samples->room * sizeof value);
    }
    samples->values[samples->count++] = value;
}

static int by_value(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double percentile(const struct samples *samples, double part) {
    if (!samples->count) return 0;
    return samples->values[(size_t)(part * (samples->count - 1) + 0.5)] / 1e3;
}

static void print_samples(const char *name, struct samples *samples) {
    qsort(samples->values, samples->count, sizeof *samples->values, by_value);
    printf("\"%s\":{\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f,\"count\":%zu},", name,
           percentile(samples, 0.5), percentile(samples, 0.99), percentile(samples, 0.999),
           percentile(samples, 1), samples->count);
}

/* Nanoseconds that all threads of a process have run (proc(5), /proc/pid/schedstat). */
static uint64_t cpu_ns(long pid) {
    char name[400];
    uint64_t sum = 0;
    snprintf(name, sizeof name, "/proc/%ld/task", pid);
    DIR *tasks = opendir(name);
    struct dirent *task;
    while (tasks && (task = readdir(tasks))) {
        uint64_t ran = 0;
        snprintf(name, sizeof name, "/proc/%ld/task/%s/schedstat", pid, task->d_name);
        FILE *file = task->d_name[0] == '.' ? NULL : fopen(name, "r");
        if (file && fscanf(file, "%lu", &ran) == 1) sum += ran;
        if (file) fclose(file);
    }
    if (tasks) closedir(tasks);
    return sum;
}

static double resident_mb(long pid) {
    char name[64], line[256];
    long kb = 0;
    snprintf(name, sizeof name, "/proc/%ld/status", pid);
    FILE *file = fopen(name, "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmRSS: %ld", &kb) == 1) break;
    if (file) fclose(file);
    return kb / 1024.0;
}

static uint64_t number_at(const char *text, int digits) {
    uint64_t number = 0;
    while (digits--) number = number * 10 + (*text++ - '0');
    return number;
}

static void watch(struct stream *stream, int change) {
    uint32_t output = stream->output_done < stream->output_length ? EPOLLOUT : 0;
    struct epoll_event event = {.events = EPOLLIN | output, .data.ptr = stream};
    epoll_ctl(poll_fd, change, stream->fd, &event);
}

static void open_connection(struct stream *stream) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1;
    stream->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(stream->fd, (struct sockaddr *)&address, sizeof address)) {
        perror("client: connect");
        exit(1);
    }
    setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(stream->fd, F_SETFL, O_NONBLOCK);
    watch(stream, EPOLL_CTL_ADD);
}

static void send_rest(struct stream *stream) {
    while (stream->output_done < stream->output_length) {
        ssize_t sent = write(stream->fd, stream->output + stream->output_done,
                             stream->output_length - stream->output_done);
        if (sent < 0) break;
        stream->output_done += sent;
    }
    if (stream->output_done < stream->output_length) watch(stream, EPOLL_CTL_MOD);
}

static void send_request(struct stream *stream) {
    char body[1024];
    if (stream->fd < 0) open_connection(stream);
    long number = stream->number * (stream->warming ? warmup : requests) + stream->request;
    int length = snprintf(
        body, sizeof body,
        "{\"model\":\"bench\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":"
        "\"bench n=%ld gap_us=%ld size=%ld key=%s%s%ld.\"}]}",
        stream->warming ? 1 : events_asked, stream->warming ? 0 : gap_us, size, key,
        stream->warming ? "-w" : "-", number);
    stream->output_length = snprintf(
        stream->output, 4096,
        "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
        "Authorization: Bearer none\r\nAccept: */*\r\n%s%sContent-Length: %d\r\n\r\n%s",
        path, port, header, *header ? "\r\n" : "", length, body);
    stream->output_done = 0;
    stream->place = IN_HEAD;
    stream->line_length = stream->event_length = 0;
    stream->status = stream->closes = stream->summed = stream->done = stream->wrong = 0;
    stream->events = 0;
    stream->sum = 1;
    stream->first_ns = 0;
    stream->busy = 1;
    stream->sent_ns = now_ns();
    send_rest(stream);
}

static void end_answer(struct stream *stream, const char *trouble) {
    long asked = stream->warming ? 1 : events_asked;
    if (!trouble && stream->status != 200) trouble = "status is not 200";
    if (!trouble && !stream->done) trouble = "no [DONE]";
    if (!trouble && !loose && stream->wrong) trouble = "an event is out of order";
    if (!trouble && !loose && stream->events != asked) trouble = "events are missing";
    if (!trouble && !loose && !stream->summed) trouble = "the checksum differs";
    if (counting || trouble) {
        if (trouble) {
            failed++;
            if (!*first_failure)
                snprintf(first_failure, sizeof first_failure, "%s (status %d, event %ld)", trouble,
                         stream->status, stream->events);
        } else {
            answers++;
        }
    }
    last_ns = now_ns();
    if (stream->closes && stream->fd >= 0) {
        close(stream->fd);
        stream->fd = -1;
    }
    stream->busy = 0;
    stream->request++;
    if (--stream->requests_left > 0 && now_ns() < begins_ns + (uint64_t)(seconds * 1e9))
        send_request(stream);
    else
        running--;
}

static void take_event(struct stream *stream, uint64_t now) {
    const char *event = stream->event;
    size_t length = stream->event_length, head = sizeof EVENT_HEAD - 1;
    stream->event_length = 0;
    stream->events_in_chunk++;
    if (length == sizeof DONE_EVENT - 1 && !memcmp(event, DONE_EVENT, length)) {
        stream->done = 1;
        return;
    }
    if (length > head + 50 && !memcmp(event, EVENT_HEAD, head)) {
        uint64_t stamp = number_at(event + head, STAMP_DIGITS);
        uint64_t asked = number_at(event + head + STAMP_DIGITS + 1, STAMP_DIGITS);
        long index = number_at(event + head + 2 * (STAMP_DIGITS + 1), INDEX_DIGITS);
        if (index != stream->events % 1000000) stream->wrong = 1;
        stream->sum = adler32(stream->sum, event, length);
        stream->events++;
        if (!counting) return;
        events++;
        if (index == 0) {
            stream->first_stamp_ns = stamp;
            stream->first_event_ns = now;
        }
        if (!speed) {
            sample(&latency, (int64_t)(now - stamp));
            return;
        }
        int64_t error = (int64_t)(now - stream->sent_ns) - (int64_t)((stamp - asked) / speed);
        int64_t later = (int64_t)(now - stream->first_event_ns) -
                        (int64_t)((stamp - stream->first_stamp_ns) / speed);
        sample(&since_request, error < 0 ? -error : error);
        sample(&since_first, later < 0 ? -later : later);
        if (index < events_asked / 10) sample(&early_error, error);
        if (index >= events_asked - events_asked / 10) sample(&late_error, error);
        return;
    }
    if (length > sizeof SUM_HEAD && !memcmp(event, SUM_HEAD, sizeof SUM_HEAD - 1)) {
        char text[256] = {0};
        long count;
        uint32_t sum;
        memcpy(text, event, length < 255 ? length : 255);
        const char *middle = strstr(text, SUM_MIDDLE);
        count = atol(text + sizeof SUM_HEAD - 1);
        sum = middle ? strtoul(middle + sizeof SUM_MIDDLE - 1, NULL, 10) : 0;
        stream->summed = count == stream->events && sum == stream->sum;
        return;
    }
    if (counting) other_events++;
}

static void take_body(struct stream *stream, const char *data, size_t length, uint64_t now) {
    while (length) {
        const char *end = memchr(data, '\n', length);
        size_t part = end ? (size_t)(end + 1 - data) : length;
        if (stream->event_length + part > EVENT_LIMIT) {
            stream->wrong = 1;
            stream->event_length = 0;
            return;
        }
        memcpy(stream->event + stream->event_length, data, part);
        stream->event_length += part;
        data += part;
        length -= part;
        if (end && stream->event_length >= 2 && stream->event[stream->event_length - 2] == '\n')
            take_event(stream, now);
    }
}

static int take_head_line(struct stream *stream) {
    char *line = stream->line;
    line[stream->line_length] = 0;
    if (stream->line_length && line[stream->line_length - 1] == '\r') line[--stream->line_length] = 0;
    size_t length = stream->line_length;
    stream->line_length = 0;
    if (length) {
        if (!stream->status) {
            stream->status = length > 9 ? atoi(line + 9) : -1;
            stream->place = IN_HEAD;
            stream->left = UINT64_MAX;
        } else if (!strncasecmp(line, "transfer-encoding: chunked", 26)) {
            stream->left = UINT64_MAX - 1;
        } else if (!strncasecmp(line, "content-length:", 15)) {
            stream->left = strtoull(line + 15, NULL, 10);
        } else if (!strncasecmp(line, "connection: close", 17)) {
            stream->closes = 1;
        }
        return 0;
    }
    if (stream->left == UINT64_MAX) {
        stream->place = IN_REST;
        stream->closes = 1;
    } else if (stream->left == UINT64_MAX - 1) {
        stream->place = IN_SIZE;
    } else {
        stream->place = IN_LENGTH;
    }
    return 1;
}

static int line_ends(struct stream *stream, char character) {
    if (character == '\n') return 1;
    if (stream->line_length < HEAD_LIMIT - 1) stream->line[stream->line_length++] = character;
    return 0;
}

static void begin_chunk(struct stream *stream) {
    stream->line[stream->line_length] = 0;
    stream->line_length = 0;
    stream->left = strtoull(stream->line, NULL, 16);
    stream->place = stream->left ? IN_CHUNK : IN_TRAILER;
    stream->events_in_chunk = 0;
    stream->chunk_begins_inside = stream->event_length > 0;
    if (counting && stream->left) http_chunks++;
}

static void end_chunk(struct stream *stream) {
    stream->place = IN_CHUNK_END;
    if (counting &&
        (stream->chunk_begins_inside || stream->event_length || stream->events_in_chunk != 1))
        odd_chunks++;
}

static void take(struct stream *stream, const char *data, size_t length, uint64_t now) {
    const char *end = data + length;
    while (data < end) {
        size_t part = end - data;
        switch (stream->place) {
        case IN_HEAD:
            if (line_ends(stream, *data++)) take_head_line(stream);
            break;
        case IN_SIZE:
            if (line_ends(stream, *data++)) begin_chunk(stream);
            break;
        case IN_CHUNK:
        case IN_LENGTH:
            if (part > stream->left) part = stream->left;
            take_body(stream, data, part, now);
            data += part;
            stream->left -= part;
            if (!stream->left && stream->place == IN_CHUNK) end_chunk(stream);
            break;
        case IN_CHUNK_END:
            if (*data++ == '\n') stream->place = IN_SIZE;
            break;
        case IN_TRAILER:
            if (line_ends(stream, *data++)) {
                size_t trailer = stream->line_length;
                stream->line_length = 0;
                if (trailer <= 1) {
                    end_answer(stream, data < end ? "bytes after the answer's end" : NULL);
                    return;
                }
            }
            break;
        case IN_REST:
            take_body(stream, data, part, now);
            data = end;
        }
        if (stream->place == IN_LENGTH && !stream->left) {
            end_answer(stream, data < end ? "bytes after the answer's end" : NULL);
            return;
        }
    }
}

static void receive(struct stream *stream) {
    static char data[256 * 1024];
    ssize_t got = read(stream->fd, data, sizeof data);
    uint64_t now = now_ns();
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        close(stream->fd);
        stream->fd = -1;
        if (!stream->busy) return;
        if (got == 0 && stream->place == IN_REST)
            end_answer(stream, NULL);
        else
            end_answer(stream, "the connection broke");
        return;
    }
    if (!stream->busy) return;
    if (counting) {
        reads++;
        if (!stream->first_ns) sample(&first_byte, (int64_t)(now - stream->sent_ns));
    }
    stream->first_ns = now;
    take(stream, data, got, now);
}

static void run_phase(long each, int warming) {
    static struct epoll_event happened[1024];
    uint64_t seed = 42;
    long to_start = streams;
    begins_ns = last_ns = now_ns();
    running = streams;
    for (long i = 0; i < streams; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        all[i].starts_ns = begins_ns + (spread_us && !warming ? (seed >> 33) % (spread_us * 1000) : 0);
        all[i].requests_left = each;
        all[i].request = 0;
        all[i].warming = warming;
    }
    while (running > 0) {
        uint64_t now = now_ns(), next = now + 100000000;
        if (now > last_ns + STUCK_S * 1000000000ull) {
            snprintf(first_failure, sizeof first_failure, "nothing ended for %d s", STUCK_S);
            failed += running;
            return;
        }
        for (long i = 0; to_start && i < streams; i++) {
            if (!all[i].starts_ns) continue;
            if (all[i].starts_ns <= now) {
                all[i].starts_ns = 0;
                to_start--;
                send_request(&all[i]);
            } else if (all[i].starts_ns < next) {
                next = all[i].starts_ns;
            }
        }
        now = now_ns();
        struct timespec wait = {0, next > now ? (long)(next - now) : 0};
        int found = epoll_pwait2(poll_fd, happened, 1024, &wait, NULL);
        for (int i = 0; i < found; i++) {
            struct stream *stream = happened[i].data.ptr;
            if (stream->fd < 0) continue;
            if (happened[i].events & EPOLLOUT) {
                send_rest(stream);
                if (stream->output_done == stream->output_length) watch(stream, EPOLL_CTL_MOD);
            }
            if (happened[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(stream);
        }
    }
}

static void read_option(const char *name, const char *value) {
    struct { const char *name; long *place; } numbers[] = {
        {"--streams", &streams}, {"--requests", &requests}, {"--warmup", &warmup},
        {"--n", &events_asked}, {"--gap-us", &gap_us}, {"--size", &size},
        {"--spread-us", &spread_us}, {"--loose", &loose},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!strcmp(name, numbers[i].name)) { *numbers[i].place = atol(value); return; }
    if (!strcmp(name, "--seconds")) seconds = atof(value);
    else if (!strcmp(name, "--replay")) speed = atof(value);
    else if (!strcmp(name, "--key")) key = value;
    else if (!strcmp(name, "--header")) header = value;
    else if (!strcmp(name, "--pids")) {
        for (char *pid = strtok(strdup(value), ","); pid && pid_count < MOST_PIDS; pid = strtok(NULL, ","))
            pids[pid_count++] = atol(pid);
    } else {
        fprintf(stderr, "client: unknown option %s\n", name);
        exit(2);
    }
}

int main(int count, char **arguments) {
    if (count < 3 || count % 2 == 0)
        return fprintf(stderr, "usage: client PORT PATH [--option value]...\n"), 2;
    signal(SIGPIPE, SIG_IGN);
    port = atoi(arguments[1]);
    path = arguments[2];
    for (int i = 3; i < count; i += 2) read_option(arguments[i], arguments[i + 1]);
    poll_fd = epoll_create1(0);
    all = calloc(streams, sizeof *all);
    for (long i = 0; i < streams; i++) {
        all[i].number = i;
        all[i].output = malloc(4096);
        all[i].event = malloc(EVENT_LIMIT);
        open_connection(&all[i]);
    }
    if (warmup) run_phase(warmup, 1);
    uint64_t before[MOST_PIDS], own = cpu_ns(getpid());
    for (long i = 0; i < pid_count; i++) before[i] = cpu_ns(pids[i]);
    counting = 1;
    run_phase(requests, 0);
    double cpu_s = 0, memory_mb = 0, elapsed_s = (last_ns - begins_ns) / 1e9;
    for (long i = 0; i < pid_count; i++) {
        cpu_s += (cpu_ns(pids[i]) - before[i]) / 1e9;
        memory_mb += resident_mb(pids[i]);
    }
    double drift_us = 0;
    printf("{\"answers\":%ld,\"failed\":%ld,\"failure\":\"%s\",\"events\":%ld,\"other_events\":%ld,"
           "\"http_chunks\":%ld,\"odd_chunks\":%ld,\"reads\":%ld,\"seconds\":%.4f,"
           "\"cpu_s\":%.4f,\"client_cpu_s\":%.4f,\"memory_mb\":%.1f,",
           answers, failed, first_failure, events, other_events, http_chunks, odd_chunks, reads,
           elapsed_s, cpu_s, (cpu_ns(getpid()) - own) / 1e9, memory_mb);
    print_samples("latency_us", &latency);
    print_samples("error_us", &since_request);
    print_samples("error_since_first_us", &since_first);
    print_samples("first_byte_us", &first_byte);
    print_samples("early_us", &early_error);
    print_samples("late_us", &late_error);
    if (late_error.count) drift_us = percentile(&late_error, 0.5) - percentile(&early_error, 0.5);
    printf("\"drift_us\":%.1f}\n", drift_us);
    return 0;
}
